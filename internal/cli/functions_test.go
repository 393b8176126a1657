package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/deploy/fakefunctions"
)

// functionsLab runs "peerlab functions" against a server of its own.
type functionsLab struct {
	*fakefunctions.Server
}

func newFunctionsLab(t *testing.T, b fakefunctions.Behavior) functionsLab {
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
	return functionsLab{s}
}

// run runs a command line, and returns what it wrote and its exit code.
func (l functionsLab) run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	args = append([]string{"functions"}, args...)
	args = append(args, "--project", "my-lab-1", "--endpoint", l.Endpoint())
	if args[1] == "deploy" {
		args = append(args, "--run-endpoint", l.RunEndpoint(), "--source", "../deploy/testdata/lab/functions")
	}
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, Stdio{In: os.Stdin, Out: &out, Err: &errs}, nil)
	return out.String(), errs.String(), code
}

func has(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s without %q:\n%s", what, w, text)
		}
	}
}

func TestFunctionsFromDeployToDelete(t *testing.T) {
	t.Parallel()
	l := newFunctionsLab(t, fakefunctions.Behavior{})
	const url = "https://peerlab-bootstrap-fake.a.run.app"
	stdout, stderr, code := l.run(t, "deploy", "--allow-unauthenticated", "--token-secret", "lab-token", "--set-env", "A=1", "--max-instances", "7")
	if code != 0 || stdout != url+"\n" {
		t.Errorf("deploy: exit code %d, output %q", code, stdout)
	}
	has(t, "progress", stderr, "upload: 100%", "creating ", "build: complete", "service: complete", "access: letting everybody call")
	if !l.Public("projects/my-lab-1/locations/europe-west1/services/peerlab-bootstrap") {
		t.Error("the function is not open")
	}
	stdout, _, code = l.run(t, "status")
	if code != 0 {
		t.Errorf("status: exit code %d", code)
	}
	has(t, "status", stdout, "ACTIVE", url, "revision     peerlab-bootstrap-0", "updated      20", "go126, entry point Peerlab", "GEN_2",
		"0 to 7", "A=1", "PEERLAB_STORE=firestore://my-lab-1/peerlab", "PEERLAB_TOKEN from lab-token:latest")
	stdout, stderr, code = l.run(t, "deploy", "--set-env", "B=2")
	if code != 0 || stdout != url+"\n" || strings.Contains(stderr, "note:") {
		t.Errorf("second deploy: exit code %d, output %q, %s", code, stdout, stderr)
	}
	has(t, "progress", stderr, "updating ")
	stdout, _, _ = l.run(t, "status", "--json")
	var function struct {
		ServiceConfig struct {
			MaxInstanceCount     int
			EnvironmentVariables map[string]string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &function); err != nil {
		t.Error(err)
	}
	if s := function.ServiceConfig; s.MaxInstanceCount != 7 || s.EnvironmentVariables["A"] != "1" || s.EnvironmentVariables["B"] != "2" {
		t.Errorf("after the update: %+v", s)
	}
	if stdout, _, code = l.run(t, "delete"); code != 0 || stdout != "deleted peerlab-bootstrap\n" {
		t.Errorf("delete: exit code %d, output %q", code, stdout)
	}
	for _, command := range []string{"status", "delete"} {
		_, stderr, code = l.run(t, command)
		if code != exitFailed {
			t.Errorf("%s of an unknown function: exit code %d", command, code)
		}
		has(t, command, stderr, "peerlab: error: ", "project my-lab-1 has no function peerlab-bootstrap in europe-west1")
	}
}

func TestFunctionsFailedBuild(t *testing.T) {
	t.Parallel()
	l := newFunctionsLab(t, fakefunctions.Behavior{BuildError: "function.go:3: undefined: x\x1b[2J"})
	stdout, stderr, code := l.run(t, "deploy")
	if code != exitFailed || stdout != "" || strings.Contains(stderr, "\x1b") {
		t.Errorf("exit code %d, output %q, %q", code, stdout, stderr)
	}
	has(t, "error", stderr, "peerlab: error: operation ", "Build failed", "build: error CloudRunBuildFailed: function.go:3: undefined: x",
		"peerlab: error: log of the build: https://")
	stdout, _, _ = l.run(t, "status")
	has(t, "status", stdout, "FAILED", "message      error CloudRunBuildFailed: function.go:3")
}

func TestFunctionsSayWhoGetsIn(t *testing.T) {
	t.Parallel()
	l := newFunctionsLab(t, fakefunctions.Behavior{})
	_, stderr, _ := l.run(t, "deploy")
	has(t, "closed function", stderr, "note: Google lets in only callers with the role roles/run.invoker")
	_, stderr, _ = l.run(t, "deploy", "--allow-unauthenticated")
	has(t, "open function without a token", stderr, "note: everybody who knows the URL can change rosters")
}

func TestFunctionsWithoutPermission(t *testing.T) {
	t.Parallel()
	l := newFunctionsLab(t, fakefunctions.Behavior{Refuse: status.Error(codes.PermissionDenied, "not for you")})
	for _, command := range []string{"deploy", "status", "delete"} {
		_, stderr, code := l.run(t, command)
		if code != exitFailed {
			t.Errorf("%s: exit code %d", command, code)
		}
		has(t, command, stderr, "PermissionDenied: not for you", "roles/cloudfunctions.developer")
	}
}

func TestFunctionsBadFlagsAreToldAtOnceAndNothingIsSent(t *testing.T) {
	t.Parallel()
	l := newFunctionsLab(t, fakefunctions.Behavior{})
	_, stderr, code := l.run(t, "deploy", "--region", "europe", "--memory", "much", "--set-env", "PORT=1")
	if code != exitUsage || strings.Count(stderr, "peerlab: error: --") != 3 {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
	if calls := l.Calls(); len(calls) != 0 {
		t.Errorf("calls %v", calls)
	}
}

func TestFunctionsDryRunSendsNothing(t *testing.T) {
	t.Parallel()
	l := newFunctionsLab(t, fakefunctions.Behavior{})
	stdout, stderr, code := l.run(t, "deploy", "--dry-run")
	if code != 0 || !json.Valid([]byte(stdout)) {
		t.Errorf("exit code %d, %q:\n%s", code, stderr, stdout)
	}
	has(t, "progress", stderr, "archive: vendoring the source", "archive: 8 files")
	has(t, "plan", stdout, "vendor/modules.txt", `"functionId": "peerlab-bootstrap"`)
	if calls := l.Calls(); len(calls) != 0 {
		t.Errorf("calls %v", calls)
	}
}
