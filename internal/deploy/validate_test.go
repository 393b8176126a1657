package deploy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultsNeedOnlyAProject(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	if err := c.Validate(); err == nil || err.Error() != "--project is missing: the id of the Google Cloud project, such as my-lab-123456" {
		t.Errorf("error %v", err)
	}
	c.Project = "my-lab-1"
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestEachBadValueNamesItsFlag(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"project too short":     {func(c *Config) { c.Project = "lab" }, "--project"},
		"project in capitals":   {func(c *Config) { c.Project = "My-Lab-1" }, "--project"},
		"project by its path":   {func(c *Config) { c.Project = "projects/my-lab-1" }, "--project"},
		"project with a hyphen": {func(c *Config) { c.Project = "my-lab-1-" }, "--project"},
		"region is a zone":      {func(c *Config) { c.Region = "europe-west1-b" }, "--region"},
		"region with a slash":   {func(c *Config) { c.Region = "../x" }, "--region"},
		"name too short":        {func(c *Config) { c.Name = "abc" }, "--name"},
		"name too long":         {func(c *Config) { c.Name = "a" + strings.Repeat("b", 63) }, "--name"},
		"name with underscore":  {func(c *Config) { c.Name = "my_function" }, "--name"},
		"source":                {func(c *Config) { c.Source = "" }, "--source"},
		"entry point":           {func(c *Config) { c.EntryPoint = "a b" }, "--entry-point"},
		"runtime":               {func(c *Config) { c.Runtime = "nodejs22" }, "--runtime"},
		"memory unit":           {func(c *Config) { c.Memory = "256MB" }, "--memory"},
		"memory too little":     {func(c *Config) { c.Memory = "64Mi" }, "--memory"},
		"memory too much":       {func(c *Config) { c.Memory = "64Gi" }, "--memory"},
		"cpu":                   {func(c *Config) { c.CPU = "3" }, "--cpu"},
		"cpu NaN":               {func(c *Config) { c.CPU = "NaN" }, "--cpu"},
		"timeout":               {func(c *Config) { c.Timeout = 2 * time.Hour }, "--timeout"},
		"timeout in parts":      {func(c *Config) { c.Timeout = 1500 * time.Millisecond }, "--timeout"},
		"concurrency":           {func(c *Config) { c.Concurrency = 1001 }, "--concurrency"},
		"concurrency and cpu":   {func(c *Config) { c.CPU = "0.5" }, "--concurrency 80 needs a --cpu of 1"},
		"max instances":         {func(c *Config) { c.MaxInstances = 0 }, "--max-instances"},
		"min instances":         {func(c *Config) { c.MinInstances = 5 }, "--min-instances"},
		"collection path":       {func(c *Config) { c.Collection = "a/b" }, "--collection"},
		"collection reserved":   {func(c *Config) { c.Collection = "__x__" }, "--collection"},
		"service account":       {func(c *Config) { c.ServiceAccount = "me@example.com" }, "--service-account"},
		"secret":                {func(c *Config) { c.TokenSecret = "projects/1/secrets/x" }, "--token-secret"},
		"secret version":        {func(c *Config) { c.TokenSecret = "x:newest" }, "--token-secret"},
		"operator secret":       {func(c *Config) { c.OperatorSecret = "a b" }, "--operator-secret"},
		"variable":              {func(c *Config) { c.SetEnv = []string{"A"} }, `--set-env "A" is not KEY=VALUE`},
		"variable name":         {func(c *Config) { c.SetEnv = []string{"1A=x"} }, `--set-env "1A"`},
		"variable twice":        {func(c *Config) { c.SetEnv = []string{"A=1", "A=2"} }, "--set-env A is given twice"},
		"variable reserved":     {func(c *Config) { c.SetEnv = []string{"PORT=1"} }, "--set-env PORT: Google reserves"},
		"variable of ours":      {func(c *Config) { c.SetEnv = []string{"PEERLAB_TOKEN=1"} }, "--set-env PEERLAB_TOKEN: that is set by --token-secret"},
		"variable both":         {func(c *Config) { c.SetEnv, c.UnsetEnv = []string{"A=1"}, []string{"A"} }, "--unset-env takes it away"},
		"variable unset":        {func(c *Config) { c.UnsetEnv = []string{"PEERLAB_STORE"} }, "--unset-env PEERLAB_STORE"},
		"variables too long":    {func(c *Config) { c.SetEnv = []string{"A=" + strings.Repeat("x", 40000)} }, "--set-env: 40002 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := labConfig()
			test.change(&c)
			err := c.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), "--") || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestAllBadValuesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	c := labConfig()
	c.Project, c.Memory, c.SetEnv = "x", "lots", []string{"1=2", "PORT=3"}
	var flags []string
	for line := range strings.SplitSeq(c.Validate().Error(), "\n") {
		flag, _, _ := strings.Cut(line, " ")
		flags = append(flags, flag)
	}
	if d := cmp.Diff([]string{"--project", "--memory", "--set-env", "--set-env"}, flags); d != "" {
		t.Errorf("flags (-want +got):\n%s", d)
	}
}

func TestEndpointsInClearAreLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{Endpoint: "cloudfunctions"}, {Endpoint: ":443"}, {RunEndpoint: "http://run.example.com/"}, {RunEndpoint: "run.example.com"},
	} {
		if err := o.Validate(); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	for _, o := range []Options{
		{}, {Endpoint: "functions.internal:443"}, {Endpoint: "[::1]:8080"}, {RunEndpoint: "https://run.internal/"}, {RunEndpoint: "http://127.0.0.1:1/"},
	} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestRuntimeThatIsOlderThanTheModule(t *testing.T) {
	t.Parallel()
	for version, ok := range map[string]bool{"1.26.0": true, "1.25": true, "1.27": false, "": true} {
		c := labConfig()
		if err := c.checkArchive(&Archive{GoVersion: version}); (err == nil) != ok {
			t.Errorf("module of Go %s on %s: %v", version, c.Runtime, err)
		}
	}
}
