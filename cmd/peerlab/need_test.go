package main

import (
	"os"
	"os/exec"
	"testing"
)

// need skips a test whose program is not installed. In CI as root it fails, since .ci/run installs the program there.
func need(t testing.TB, program, why string) {
	t.Helper()
	_, err := exec.LookPath(program)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true" && os.Geteuid() == 0:
		t.Fatalf("%v: %s, and .ci/run installs it", err, why)
	default:
		t.Skipf("%v: %s", err, why)
	}
}
