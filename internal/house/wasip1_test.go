package house

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// wasip1Packages are the packages that run unchanged in the simulation, where
// time, randomness and the network are given from outside. The simulation's
// guest is built for wasip1, which has no sockets, processes or terminals.
var wasip1Packages = []string{
	"app",
	"internal/bootstrap",
	"internal/chat",
	"internal/command",
	"internal/event",
	"internal/membership",
	"internal/network",
	"internal/node",
	"internal/peer",
}

// TestWasip1 builds the core for GOOS=wasip1, with a mod file of its own that
// replaces the one dependency that does not build there.
func TestWasip1(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	modfile := wasip1Modfile(t, root)
	args := []string{"build", "-modfile=" + modfile}
	for _, pkg := range wasip1Packages {
		args = append(args, "./"+pkg)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
}

// TestSockaddr runs the tests of the replacement module, which `go test ./...`
// does not reach.
func TestSockaddr(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "test", ".")
	cmd.Dir = filepath.Join(moduleRoot(t), "internal", "sockaddr")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go test: %v\n%s", err, out)
	}
}

// wasip1Modfile copies go.mod and go.sum out of the tree, adds the replacement
// of go-sockaddr, and returns the path of the copy.
func wasip1Modfile(t *testing.T, root string) string {
	t.Helper()
	mod := readFile(t, filepath.Join(root, "go.mod"))
	mod = append(mod, "\nreplace github.com/hashicorp/go-sockaddr => "...)
	mod = strconv.AppendQuote(mod, filepath.Join(root, "internal", "sockaddr"))
	mod = append(mod, '\n')
	path := filepath.Join(t.TempDir(), "wasip1.mod")
	writeFile(t, path, mod)
	writeFile(t, path[:len(path)-len("mod")]+"sum", readFile(t, filepath.Join(root, "go.sum")))
	return path
}

// moduleRoot is the folder of the main module's go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env GOMOD: %v", err)
	}
	return filepath.Dir(string(bytes.TrimSpace(out)))
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
