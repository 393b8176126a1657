package function_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap/function"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

const labToken, operatorToken = "a token of sixteen bytes", "a token of the operators"

// curlLine is a command of curl in a page: after a prompt, or within back quotes.
var curlLine = regexp.MustCompile("(?m)^\\$ (curl .*)$|`(curl [^`]*)`")

// TestCurlOfTheDocs runs what docs/functions.md tells users to type, on a function with both tokens.
func TestCurlOfTheDocs(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skipf("no curl: %v", err)
	}
	page, err := os.ReadFile(filepath.FromSlash("../../../docs/functions.md"))
	if err != nil {
		t.Fatal(err)
	}
	security, err := node.LoadSecurity(node.SecurityConfig{Token: labToken, OperatorToken: operatorToken})
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, function.Config{Open: inMemory, Security: security})
	dir := t.TempDir()
	for name, token := range map[string]string{"token": labToken, "operator-token": operatorToken} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commands := curlLine.FindAllStringSubmatch(string(page), -1)
	if len(commands) != 2 {
		t.Fatalf("the page has %d commands of curl: %q", len(commands), commands)
	}
	for _, c := range commands {
		line := c[1] + c[2]
		cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(line, "curl ", "curl -sS --fail-with-body ", 1))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "URL="+url, "no_proxy=127.0.0.1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), `"roster":`) {
			t.Errorf("%s: %v: %s", line, err, out)
		}
	}
}

// TestNobodyIsOperator has a function with the token of the lab only: what it tells is how functions get the other one.
func TestNobodyIsOperator(t *testing.T) {
	t.Parallel()
	security, err := node.LoadSecurity(node.SecurityConfig{Token: labToken})
	if err != nil {
		t.Fatal(err)
	}
	client := bootstrapv1.NewBootstrapServiceClient(dial(t, serve(t, function.Config{Open: inMemory, Security: security}), security))
	_, err = client.Reset(t.Context(), &bootstrapv1.ResetRequest{})
	if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "--operator-secret") || strings.Contains(err.Error(), "-file") {
		t.Errorf("reset: %v", err)
	}
}
