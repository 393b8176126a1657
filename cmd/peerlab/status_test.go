//go:build linux || darwin || freebsd || netbsd || openbsd

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"peerlab.example/peerlab/internal/console/term/ptytest"
)

// runAtTerminal runs a suite on a terminal.
func runAtTerminal(t *testing.T, cols int, env []string, suite string, args ...string) *ptytest.Terminal {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "one.lab"), []byte(suite), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("peerlab", append([]string{"coordinator", "run", "one.lab"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), homeAt(dir, env...)...)
	return ptytest.Start(t, cmd, 24, cols)
}

// statusRow is a row that is, or was, a status line.
var statusRow = regexp.MustCompile(`(?m)^\d+(\.\d)?s  `)

const slowSuite = `suite "slow"
peers alice bob carol
all init
lab freeze carol
expect alice,bob within 60s members lost = 1
alice within 60s sleep 60s
`

func TestStatusLineAtATerminal(t *testing.T) {
	t.Parallel()
	run := runAtTerminal(t, 100, []string{"TERM=xterm", "NO_COLOR=1"}, slowSuite)
	run.See("waits for alice, bob")
	run.See("2 alive, 1 frozen")
	run.Until("the line below the steps", func(screen string) bool {
		last := screen[strings.LastIndex(screen, "\n")+1:]
		return strings.Contains(screen, "lab freeze carol\n") && statusRow.MatchString(last) && strings.Contains(last, "6 alice within 60s sleep 60s  waits for alice")
	})
	run.Resize(24, 50)
	run.Until("the line in the new width", func(screen string) bool {
		last := screen[strings.LastIndex(screen, "\n")+1:]
		return statusRow.MatchString(last) && strings.Contains(last, "6 alice") && utf8.RuneCountInString(last) <= 47
	})
	run.Send("\x03")
	run.Ends(130)
	run.Until("the verdict, and no line more", func(screen string) bool {
		return strings.Contains(screen, "FAIL slow") && strings.Contains(screen, "peerlab: error: interrupted") && !statusRow.MatchString(screen)
	})
	if strings.Contains(run.Output(), "\x1b[2m") {
		t.Error("there are colours, though NO_COLOR is set")
	}
}

func TestStatusLineGoesWithTheRun(t *testing.T) {
	t.Parallel()
	run := runAtTerminal(t, 60, []string{"TERM=xterm", "NO_COLOR="}, "suite \"quick\"\npeers alice bob\nall init\nlab sleep 500ms\n", "--repeat", "2")
	run.See("lab sleep 500ms")
	run.Ends(0)
	run.Until("the verdict, and no line more", func(screen string) bool {
		return strings.HasSuffix(screen, "2 of 2 runs passed") && !statusRow.MatchString(screen)
	})
	if !strings.Contains(run.Output(), "\x1b[2m") {
		t.Error("the line was never seen")
	}
}

func TestNoStatusLineOnADumbTerminal(t *testing.T) {
	t.Parallel()
	run := runAtTerminal(t, 80, []string{"TERM=dumb"}, "suite \"quick\"\npeers alice\nlab sleep 300ms\n")
	run.Ends(0)
	run.See("PASS quick")
	if strings.Contains(run.Output(), "\x1b") {
		t.Errorf("the output is %q", run.Output())
	}
}
