package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/netns"
)

// waits is a suite that gives a test time to end it.
const waits = "suite \"waits\"\npeers alice bob\nall init\nlab sleep 30s\n"

// TestNamespaces runs the real program with a namespace for each peer.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // also for another user
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	suite := filepath.Join(dir, "waits.lab")
	if err := os.WriteFile(suite, []byte(waits), 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "peerlab")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/peerlab").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(args ...string) *exec.Cmd {
		return exec.Command(program, append([]string{"coordinator", "run", "--netns"}, args...)...)
	}
	const same = "testdata/same-faults.lab"
	t.Run("rules", func(t *testing.T) {
		if out, err := exec.Command(program, "coordinator", "run", same).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("not root", func(t *testing.T) { notRoot(t, run(suite)) })
	can, err := netns.Check(t.Context())
	var missing *netns.MissingError
	if errors.As(err, &missing) {
		if strings.HasPrefix(missing.What, "the command ") && os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("%v; .ci/run installs it", err)
		}
		t.Skipf("skipped: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if can.Netem != nil {
		t.Run("a rule that cannot be made", func(t *testing.T) { ruleTooMany(t, dir, run) })
	}
	t.Run("interrupted", func(t *testing.T) { interruptedRun(t, run(suite)) })
	t.Run("suites", func(t *testing.T) {
		out, err := run("--parallel", "2", same, "../../examples/first.lab", "../../examples/leave-and-loss.lab", "../../examples/restart.lab").CombinedOutput()
		if n := bytes.Count(out, []byte("PASS ")); err != nil || n != 4 {
			t.Errorf("%d of 4 suites passed: %v\n%s", n, err, out)
		}
	})
}

// ruleTooMany has a suite with a rule that the kernel lacks: that is told with its place, and nothing is started.
func ruleTooMany(t *testing.T, dir string, run func(...string) *exec.Cmd) {
	suite := filepath.Join(dir, "rule.lab")
	if err := os.WriteFile(suite, []byte("peers alice bob\nall init\nlab partition alice | bob\nlab loss 5%\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(suite).CombinedOutput()
	var exited *exec.ExitError
	if !errors.As(err, &exited) || exited.ExitCode() != exitUsage {
		t.Errorf("%v\n%s", err, out)
	}
	if !bytes.HasPrefix(out, []byte(suite+":4:5: loss: network namespaces need the queueing discipline netem")) || bytes.Contains(out, []byte("init")) {
		t.Errorf("%s", out)
	}
}

// interruptedRun ends a run as Ctrl-C does, and looks for what is left.
func interruptedRun(t *testing.T, cmd *exec.Cmd) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	namespaces := func() int {
		list, err := exec.Command("ip", "netns", "list").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(list), fmt.Sprintf("peerlab-%d-", cmd.Process.Pid))
	}
	for end := time.Now().Add(20 * time.Second); namespaces() < 3; <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no namespaces appear:\n%s", out.String())
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Errorf("an interrupted run ended well:\n%s", out.String())
	}
	if n := namespaces(); n != 0 {
		t.Errorf("%d namespaces are left:\n%s", n, out.String())
	}
}

// notRoot runs the program as nobody.
func notRoot(t *testing.T, cmd *exec.Cmd) {
	cmd.Env = append(os.Environ(), "HOME=/nonexistent")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skipf("skipped: this test cannot become another user: %v", err)
	}
	if err == nil || !strings.Contains(string(out), "network namespaces need root") || strings.Contains(string(out), "ok  ") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
