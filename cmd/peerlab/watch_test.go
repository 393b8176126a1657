package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRunWatch has the suites run again when their file changes, also when it has a mistake in between.
func TestRunWatch(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("peerlab")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "a.lab")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("alice echo one\n")
	var output lockedBuffer
	cmd := exec.Command(path, "coordinator", "run", "--watch", file)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the state is read from ProcessState
	}()
	defer func() { _ = cmd.Process.Kill() }() // it may have ended
	see := func(text string, times int) {
		t.Helper()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range 3000 {
			if strings.Count(output.String(), text) >= times {
				return
			}
			<-tick.C
		}
		t.Fatalf("%q is not there %d times:\n%s", text, times, output.String())
	}
	see("waiting for a file to change", 1)
	write("alice ech two, which is a mistake\n")
	see(`did you mean "echo"?`, 1)
	see("waiting for a file to change", 2)
	write("alice echo three\n")
	see("PASS", 2)
	see("waiting for a file to change", 3)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-ended
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("ended with %d:\n%s", code, output.String())
	}
}
