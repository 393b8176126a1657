package deploy

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"peerlab.example/peerlab/internal/deploy/fakefunctions"
)

const labFunction = "projects/my-lab-1/locations/europe-west1/functions/peerlab-bootstrap"

// lab is a server with a Deployer on it.
type lab struct {
	*fakefunctions.Server
	*Deployer

	mu    sync.Mutex
	lines []string // of progress; guarded by mu
	told  chan struct{}
}

func newLab(t *testing.T, b fakefunctions.Behavior) *lab {
	t.Helper()
	s, err := fakefunctions.Start(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	l := &lab{Server: s, told: make(chan struct{}, 1000)}
	l.Deployer, err = New(t.Context(), Options{
		Endpoint: s.Endpoint(), RunEndpoint: s.RunEndpoint(), Poll: time.Millisecond, Progress: l.tell,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Deployer.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *lab) tell(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	l.told <- struct{}{}
}

func (l *lab) progress() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

func labConfig() Config {
	c := DefaultConfig()
	c.Project, c.Source = "my-lab-1", labSource
	return c
}

func TestFirstDeployment(t *testing.T) {
	t.Parallel()
	l := newLab(t, fakefunctions.Behavior{})
	c := labConfig()
	c.TokenSecret, c.SetEnv = "lab-token:3", []string{"LOG_LEVEL=debug", "EMPTY="}
	c.ServiceAccount = "peerlab@my-lab-1.iam.gserviceaccount.com"
	r, err := l.Deploy(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Created || URL(r.Function) != "https://peerlab-bootstrap-fake.a.run.app" || r.Operation == "" {
		t.Errorf("result %+v", r)
	}
	if d := cmp.Diff([]string{"GetFunction", "GenerateUploadUrl", "CreateFunction"}, l.Calls()); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
	want := &functionspb.CreateFunctionRequest{
		Parent: "projects/my-lab-1/locations/europe-west1", FunctionId: "peerlab-bootstrap",
		Function: &functionspb.Function{
			Name: labFunction, Description: "bootstrap service of peerlab", Environment: functionspb.Environment_GEN_2,
			BuildConfig: &functionspb.BuildConfig{
				Runtime: "go126", EntryPoint: "Peerlab",
				Source: &functionspb.Source{Source: &functionspb.Source_StorageSource{
					StorageSource: &functionspb.StorageSource{Bucket: "uploads", Object: "object-1.zip"},
				}},
			},
			ServiceConfig: &functionspb.ServiceConfig{
				AvailableMemory: "256Mi", AvailableCpu: "1", TimeoutSeconds: 60, MaxInstanceRequestConcurrency: 80, MaxInstanceCount: 4,
				ServiceAccountEmail: "peerlab@my-lab-1.iam.gserviceaccount.com",
				IngressSettings:     functionspb.ServiceConfig_ALLOW_ALL, AllTrafficOnLatestRevision: true,
				EnvironmentVariables: map[string]string{
					"PEERLAB_STORE": "firestore://my-lab-1/peerlab", "LOG_LEVEL": "debug", "EMPTY": "",
				},
				SecretEnvironmentVariables: []*functionspb.SecretEnvVar{
					{Key: "PEERLAB_TOKEN", ProjectId: "my-lab-1", Secret: "lab-token", Version: "3"},
				},
			},
		},
	}
	if d := cmp.Diff(want, l.Requests()[0], protocmp.Transform()); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
	if l.Public("projects/my-lab-1/locations/europe-west1/services/peerlab-bootstrap") {
		t.Error("everybody may call a function that was not to be open")
	}
	checkUpload(t, l)
	checkLines(t, l.progress(), "archive: vendoring", "archive: 8 files", "upload: 100%", "creating "+labFunction,
		"build: in progress: Creating the image", "build: log at https://", "build: complete", "service: complete")
}

// checkUpload checks that one archive came, with the headers that the API demands.
func checkUpload(t *testing.T, l *lab) {
	t.Helper()
	uploads := l.Uploads()
	if len(uploads) != 1 {
		t.Fatalf("%d uploads", len(uploads))
	}
	u := uploads[0]
	if u.Header.Get("Content-Type") != "application/zip" || u.Header.Get("Authorization") != "" {
		t.Errorf("headers %v", u.Header)
	}
	if !strings.Contains(u.Files["function.go"], `functions.HTTP("Peerlab"`) || u.Files["vendor/modules.txt"] == "" {
		t.Errorf("files %v", u.Files)
	}
}

// checkLines checks that lines with these texts come in this order, each of them once.
func checkLines(t *testing.T, lines []string, want ...string) {
	t.Helper()
	rest := lines
	for _, text := range want {
		i := slices.IndexFunc(rest, func(line string) bool { return strings.Contains(line, text) })
		if i < 0 {
			t.Errorf("no line with %q where it should be, in:\n%s", text, strings.Join(lines, "\n"))
			return
		}
		rest = rest[i+1:]
	}
	seen := map[string]bool{}
	for _, line := range lines {
		if seen[line] {
			t.Errorf("twice: %q", line)
		}
		seen[line] = true
	}
}

func TestUpdateChangesWhatIsSaidAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	l := newLab(t, fakefunctions.Behavior{})
	c := labConfig()
	c.TokenSecret, c.SetEnv, c.MaxInstances = "lab-token", []string{"KEPT=1", "CHANGED=1", "GONE=1"}, 9
	if _, err := l.Deploy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	c = labConfig()
	c.Memory, c.SetEnv, c.UnsetEnv, c.OperatorSecret = "512Mi", []string{"CHANGED=2"}, []string{"GONE"}, "operators:2"
	c.Said = []string{"project", "memory", "set-env", "unset-env", "operator-secret"}
	r, err := l.Deploy(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Created {
		t.Error("an update is told to be a creation")
	}
	request, ok := l.Requests()[1].(*functionspb.UpdateFunctionRequest)
	if !ok {
		t.Fatalf("request %T", l.Requests()[1])
	}
	wantMask := []string{
		"build_config.entry_point", "build_config.runtime", "build_config.source", "service_config.all_traffic_on_latest_revision",
		"service_config.available_memory", "service_config.environment_variables",
		"service_config.secret_environment_variables",
	}
	if d := cmp.Diff(wantMask, request.GetUpdateMask().GetPaths()); d != "" {
		t.Errorf("mask (-want +got):\n%s", d)
	}
	got := l.Function(labFunction).GetServiceConfig()
	wantEnv := map[string]string{"PEERLAB_STORE": "firestore://my-lab-1/peerlab", "KEPT": "1", "CHANGED": "2"}
	if d := cmp.Diff(wantEnv, got.GetEnvironmentVariables()); d != "" {
		t.Errorf("environment (-want +got):\n%s", d)
	}
	if got.GetAvailableMemory() != "512Mi" || got.GetMaxInstanceCount() != 9 {
		t.Errorf("service %v", got)
	}
	wantSecrets := []*functionspb.SecretEnvVar{
		{Key: "PEERLAB_TOKEN", ProjectId: "my-lab-1", Secret: "lab-token", Version: "latest"},
		{Key: "PEERLAB_OPERATOR_TOKEN", ProjectId: "my-lab-1", Secret: "operators", Version: "2"},
	}
	if d := cmp.Diff(wantSecrets, got.GetSecretEnvironmentVariables(), protocmp.Transform()); d != "" {
		t.Errorf("secrets (-want +got):\n%s", d)
	}
	if object := l.Function(labFunction).GetBuildConfig().GetSource().GetStorageSource().GetObject(); object == "object-1.zip" {
		t.Error("the update has the source of the creation")
	}
}

func TestFailedBuildShowsItsMessageAndLog(t *testing.T) {
	t.Parallel()
	l := newLab(t, fakefunctions.Behavior{BuildError: "function.go:12:\n undefined: storre"})
	_, err := l.Deploy(t.Context(), labConfig())
	var failed *FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{
		"Build failed with status: FAILURE", "build: error CloudRunBuildFailed: function.go:12: undefined: storre",
		"log of the build: https://console.cloud.google.com/",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error without %q:\n%v", want, err)
		}
	}
	// The function is there, in a bad state, and the next deployment repairs it.
	f, err := l.Status(t.Context(), labConfig())
	if err != nil || f.GetState() != functionspb.Function_FAILED {
		t.Fatalf("state %v, %v", f.GetState(), err)
	}
	l.Behave(fakefunctions.Behavior{})
	if r, err := l.Deploy(t.Context(), labConfig()); err != nil || r.Created || r.Function.GetState() != functionspb.Function_ACTIVE {
		t.Errorf("second deployment: %+v, %v", r, err)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	l := newLab(t, fakefunctions.Behavior{})
	if _, err := l.Deploy(t.Context(), labConfig()); err != nil {
		t.Fatal(err)
	}
	if err := l.Delete(t.Context(), labConfig()); err != nil {
		t.Fatal(err)
	}
	if names := l.Functions(); len(names) != 0 {
		t.Errorf("functions %v", names)
	}
	err := l.Delete(t.Context(), labConfig())
	if err == nil || !strings.Contains(err.Error(), "project my-lab-1 has no function peerlab-bootstrap in europe-west1") {
		t.Errorf("second delete: %v", err)
	}
	_, err = l.Status(t.Context(), labConfig())
	if err == nil || !strings.Contains(err.Error(), "has no function peerlab-bootstrap") {
		t.Errorf("status: %v", err)
	}
}

func TestAccessForEverybodyIsGivenOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t, fakefunctions.Behavior{})
	c := labConfig()
	c.AllowUnauthenticated = true
	for range 2 {
		if _, err := l.Deploy(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if !l.Public("projects/my-lab-1/locations/europe-west1/services/peerlab-bootstrap") {
		t.Error("nobody may call")
	}
	l.Behave(fakefunctions.Behavior{ForbidPolicy: true})
	_, err := l.Deploy(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "the function is deployed, but not open") || !strings.Contains(err.Error(), "roles/run.admin") {
		t.Errorf("error %v", err)
	}
}
