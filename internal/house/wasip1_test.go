package house

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"peerlab.example/peerlab/internal/sim/guest"
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
	"internal/lab",
	"internal/node",
	"internal/peer",
	"internal/sim",
	"internal/testcoord",
}

// TestWasip1 builds the core for GOOS=wasip1, with a mod file of its own that
// replaces the one dependency that does not build there.
func TestWasip1(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	modfile, err := guest.Modfile(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"build", "-modfile=" + modfile}
	for _, pkg := range wasip1Packages {
		args = append(args, "./"+pkg)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	cmd.Env = guest.Environ(os.Environ())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
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
