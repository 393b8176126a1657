package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNoPortIsLeft runs a suite where the system has too few ports for it: in a network namespace of its own, which an
// ordinary user may make on most systems.
func TestNoPortIsLeft(t *testing.T) {
	t.Parallel()
	suite := filepath.Join(t.TempDir(), "two.lab")
	if err := os.WriteFile(suite, []byte("peers alice bob\nall init\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		ports string // the first and the last
		code  int
		want  []string
	}{
		{"40000 40000", 3, []string{"peerlab: error: coordinator: listen tcp "}},                                 // for the two servers of the run
		{"40000 40002", 1, []string{" ended before it attached: exit status 3", "     | peerlab: error: peer "}}, // and one peer
	} {
		out, code := inNamespace(t, `ip link set lo up && echo "$1" > /proc/sys/net/ipv4/ip_local_port_range && exec peerlab coordinator run "$2"`, test.ports, suite)
		for _, want := range append(test.want, "no port is left of those that the system may choose from") {
			if !strings.Contains(out, want) {
				t.Errorf("ports %s: no %q in:\n%s", test.ports, want, out)
			}
		}
		if code != test.code {
			t.Errorf("ports %s: exit code %d, want %d", test.ports, code, test.code)
		}
	}
}

// inNamespace runs a shell script in namespaces of its own, and returns what it wrote and its exit code. It skips the test where
// the system does not allow that.
func inNamespace(t *testing.T, script string, args ...string) (string, int) {
	t.Helper()
	need(t, "ip", "it sets up the network of a namespace")
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", script, "sh"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return string(out), 0
	case errors.As(err, &exit):
		return string(out), exit.ExitCode()
	}
	t.Skip("no namespaces here: ", err)
	return "", 0
}
