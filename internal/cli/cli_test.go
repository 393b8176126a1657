package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fullDisk fails as a file on a full disk does.
type fullDisk struct{ err error }

func (d fullDisk) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: d.err}
}

// What could not be written is told once, whoever wrote it, and is a failure; but for a reader that has seen enough.
func TestStandardOutputThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	suite, wrong := path("good.lab", "peers alice\nalice echo hello\n"), path("wrong.lab", "peers alice\nalice ehco hello\n")
	script := path("lines.txt", "echo one\necho two\n")
	peer := []string{"peer", "--listen", "127.0.0.1:0", "--gossip", "127.0.0.1:0", "--memory", dir}
	const told = "peerlab: error: standard output: no space left on device\n"
	for _, tc := range []struct {
		name string
		args []string
		code int
		said string // the end of it
	}{
		{"commands", append(peer, "-e", "echo one; echo two"), exitFailed, told},
		{"script", append(peer, "-f", script), exitFailed, told},
		{"nothing to write", append(peer, "-e", "shell true"), 0, ""},
		{"check", []string{"coordinator", "check", suite}, exitFailed, told},
		{"another exit code", []string{"coordinator", "check", suite, wrong}, exitUsage, told},
		{"certs", []string{"certs", "--dir", filepath.Join(dir, "certs"), "alice"}, exitFailed, told},
		{"help", []string{"--help"}, exitFailed, told},
		{"told by the command", []string{"version"}, exitFailed, "peerlab: error: write /dev/stdout: no space left on device\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var errs bytes.Buffer
			code := Run(t.Context(), tc.args, Stdio{In: os.Stdin, Out: fullDisk{syscall.ENOSPC}, Err: &errs}, nil)
			said := errs.String()
			if code != tc.code || !strings.HasSuffix(said, tc.said) || strings.Count(said, "no space left") != strings.Count(tc.said, "no space left") {
				t.Errorf("exit code %d, want %d; it said %q, want %q", code, tc.code, said, tc.said)
			}
		})
	}
}

func TestReaderThatHasSeenEnough(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	args := []string{"certs", "--dir", filepath.Join(t.TempDir(), "certs"), "alice"}
	if code := Run(t.Context(), args, Stdio{In: os.Stdin, Out: fullDisk{syscall.EPIPE}, Err: &errs}, nil); code != 0 || errs.Len() > 0 {
		t.Errorf("exit code %d, it said %q", code, errs.String())
	}
}
