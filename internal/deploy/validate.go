package deploy

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// The forms that Google documents for names. Where the API is stricter, it tells. Each is made when it is first used: every
// process of a lab would pay for them at its start, a millisecond of some ten.
var (
	// https://cloud.google.com/resource-manager/docs/creating-managing-projects: 6 to 30 characters; the part in
	// front of a colon is the domain of old projects.
	projectForm = form(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	regionForm  = form(`^[a-z]+-[a-z]+[0-9]{1,2}$`)
	// CreateFunctionRequest.function_id: 4 to 63 characters.
	nameForm    = form(`^[a-z][a-z0-9-]{2,61}[a-z0-9]$`)
	runtimeForm = form(`^go1[0-9]{2}$`)
	entryForm   = form(`^[A-Za-z][A-Za-z0-9_.-]*$`)
	// ServiceConfig.available_memory: k, M, G, Mi, Gi, or bytes.
	memoryForm  = form(`^([0-9]{1,12})(k|M|G|Mi|Gi)?$`)
	accountForm = form(`^[a-z0-9][a-z0-9-]*@[a-z0-9.-]+\.gserviceaccount\.com$`)
	// projects.secrets.create: up to 255 letters, digits, hyphens and underscores.
	secretForm   = form(`^[A-Za-z0-9_-]{1,255}(:(latest|[1-9][0-9]*))?$`)
	variableForm = form(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// form is a regular expression that is made at the first call.
func form(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// reserved are variables that the runtime sets itself:
// https://cloud.google.com/functions/docs/configuring/env-var#runtime_environment_variables_set_automatically.
var reserved = []string{
	"ENTRY_POINT", "FUNCTION_NAME", "FUNCTION_REGION", "FUNCTION_SIGNATURE_TYPE", "FUNCTION_TARGET", "FUNCTION_TRIGGER_TYPE",
	"GCLOUD_PROJECT", "GCP_PROJECT", "GOOGLE_CLOUD_PROJECT", "K_CONFIGURATION", "K_REVISION", "K_SERVICE", "PORT",
}

const (
	maxTimeout     = time.Hour // of HTTP functions: https://cloud.google.com/functions/quotas
	maxConcurrency = 1000      // https://cloud.google.com/functions/docs/configuring/concurrency
	maxEnvironment = 32 << 10  // bytes of all variables: https://cloud.google.com/functions/quotas
	maxCollection  = 1500      // bytes: https://cloud.google.com/firestore/quotas
	minMemory      = 128e6     // bytes
	maxMemory      = 32 << 30  // bytes
)

// Validate lists all that is wrong, each with the flag.
func (c *Config) Validate() error {
	return errors.Join(c.ValidatePlace(), c.validateSource(), c.validateScale(), c.validateInside())
}

// ValidatePlace checks only where the function is, which is all that is needed to look at one or to delete it.
func (c *Config) ValidatePlace() error {
	var errs []error
	if c.Project == "" {
		errs = append(errs, errors.New("--project is missing: the id of the Google Cloud project, such as my-lab-123456"))
	} else if !projectForm().MatchString(c.Project) {
		errs = append(errs, fmt.Errorf(
			"--project %q is no project id: 6 to 30 lower-case letters, digits and hyphens, the first a letter, the last no hyphen", c.Project))
	}
	if !regionForm().MatchString(c.Region) {
		errs = append(errs, fmt.Errorf("--region %q is no region, such as europe-west1", c.Region))
	}
	if !nameForm().MatchString(c.Name) {
		errs = append(errs, fmt.Errorf(
			"--name %q is no function name: 4 to 63 lower-case letters, digits and hyphens, the first a letter, the last no hyphen", c.Name))
	}
	return errors.Join(errs...)
}

func (c *Config) validateSource() error {
	var errs []error
	if c.Source == "" {
		errs = append(errs, errors.New("--source is missing: the folder of the module with the function"))
	}
	if !entryForm().MatchString(c.EntryPoint) {
		errs = append(errs, fmt.Errorf("--entry-point %q is no name of a function, such as Peerlab", c.EntryPoint))
	}
	if !runtimeForm().MatchString(c.Runtime) {
		errs = append(errs, fmt.Errorf("--runtime %q is no Go runtime, such as go126", c.Runtime))
	}
	return errors.Join(errs...)
}

func (c *Config) validateScale() error {
	var errs []error
	if n, ok := memoryBytes(c.Memory); !ok || n < minMemory || n > maxMemory {
		errs = append(errs, fmt.Errorf("--memory %q is not between 128Mi and 32Gi, in k, M, G, Mi or Gi", c.Memory))
	}
	cpu, ok := cpus(c.CPU)
	if !ok {
		errs = append(errs, fmt.Errorf("--cpu %q is none of 1, 2, 4, 6, 8, and no part of one from 0.08 to 0.99", c.CPU))
	}
	if c.Timeout < time.Second || c.Timeout > maxTimeout || c.Timeout%time.Second != 0 {
		errs = append(errs, fmt.Errorf("--timeout %s is not between 1s and %s, in whole seconds", c.Timeout, maxTimeout))
	}
	switch {
	case c.Concurrency < 1 || c.Concurrency > maxConcurrency:
		errs = append(errs, fmt.Errorf("--concurrency %d is not between 1 and %d", c.Concurrency, maxConcurrency))
	case ok && cpu < 1 && c.Concurrency > 1:
		errs = append(errs, fmt.Errorf("--concurrency %d needs a --cpu of 1 or more, and not %s", c.Concurrency, c.CPU))
	}
	if c.MaxInstances < 1 {
		errs = append(errs, fmt.Errorf("--max-instances %d is below 1", c.MaxInstances))
	}
	if c.MinInstances < 0 || c.MaxInstances >= 1 && c.MinInstances > c.MaxInstances {
		errs = append(errs, fmt.Errorf("--min-instances %d is not between 0 and --max-instances %d", c.MinInstances, c.MaxInstances))
	}
	return errors.Join(errs...)
}

// validateInside checks what the function is told.
func (c *Config) validateInside() error {
	var errs []error
	if s := c.Collection; s == "" || len(s) > maxCollection || s == "." || s == ".." || !utf8.ValidString(s) ||
		strings.ContainsAny(s, "/?#% \t\r\n") || strings.HasPrefix(s, "__") && strings.HasSuffix(s, "__") {
		errs = append(errs, fmt.Errorf("--collection %q is no id of a Firestore collection, such as peerlab", s))
	}
	if c.ServiceAccount != "" && !accountForm().MatchString(c.ServiceAccount) {
		errs = append(errs, fmt.Errorf("--service-account %q is no email of one, such as NAME@%s.iam.gserviceaccount.com", c.ServiceAccount, c.Project))
	}
	if c.TokenSecret != "" && !secretForm().MatchString(c.TokenSecret) {
		errs = append(errs, fmt.Errorf("--token-secret %q is neither NAME nor NAME:VERSION of a secret in Secret Manager", c.TokenSecret))
	}
	if c.OperatorSecret != "" && !secretForm().MatchString(c.OperatorSecret) {
		errs = append(errs, fmt.Errorf("--operator-secret %q is neither NAME nor NAME:VERSION of a secret in Secret Manager", c.OperatorSecret))
	}
	return errors.Join(append(errs, c.validateEnvironment()...)...)
}

func (c *Config) validateEnvironment() []error {
	var errs []error
	seen := map[string]bool{}
	size := 0
	for _, pair := range c.SetEnv {
		key, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("--set-env %q is not KEY=VALUE", pair))
			continue
		case seen[key]:
			errs = append(errs, fmt.Errorf("--set-env %s is given twice", key))
		case slices.Contains(c.UnsetEnv, key):
			errs = append(errs, fmt.Errorf("--set-env %s: --unset-env takes it away", key))
		case !utf8.ValidString(value):
			errs = append(errs, fmt.Errorf("--set-env %s: the value is not UTF-8", key))
		}
		seen[key] = true
		size += len(pair)
		if err := variable("--set-env", key); err != nil {
			errs = append(errs, err)
		}
	}
	for _, key := range c.UnsetEnv {
		if err := variable("--unset-env", key); err != nil {
			errs = append(errs, err)
		}
	}
	if size > maxEnvironment {
		errs = append(errs, fmt.Errorf("--set-env: %d bytes are more than the %d that a function may have", size, maxEnvironment))
	}
	return errs
}

// variable checks the name of an environment variable that is given by a flag.
func variable(flag, key string) error {
	switch {
	case key == StoreVariable:
		return fmt.Errorf("%s %s: that is set by --collection", flag, key)
	case key == TokenVariable:
		return fmt.Errorf("%s %s: that is set by --token-secret, from Secret Manager", flag, key)
	case key == OperatorVariable:
		return fmt.Errorf("%s %s: that is set by --operator-secret, from Secret Manager", flag, key)
	case !variableForm().MatchString(key):
		return fmt.Errorf("%s %q is no name of a variable: letters, digits and underscores, the first no digit", flag, key)
	case slices.Contains(reserved, key) || strings.HasPrefix(key, "X_GOOGLE_"):
		return fmt.Errorf("%s %s: Google reserves this name", flag, key)
	}
	return nil
}

func memoryBytes(text string) (float64, bool) {
	m := memoryForm().FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	unit := map[string]float64{"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "Mi": 1 << 20, "Gi": 1 << 30}[m[2]]
	return n * unit, err == nil
}

func cpus(text string) (float64, bool) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) {
		return 0, false
	}
	return n, slices.Contains([]float64{1, 2, 4, 6, 8}, n) || n >= 0.08 && n < 1
}
