//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"peerlab.example/peerlab/internal/console/term/ptytest"
)

// session is the helper on a terminal of its own.
type session struct{ *ptytest.Terminal }

func start(t *testing.T, mode string, rows, cols int, env ...string) *session {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+mode, "TERM=xterm", "NO_COLOR=1",
		"GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0", "HELPER_HISTORY="+filepath.Join(t.TempDir(), "history"))
	cmd.Env = append(cmd.Env, env...)
	return &session{ptytest.Start(t, cmd, rows, cols)}
}

// ready waits for an empty prompt on the last line that has text.
func (s *session) ready() {
	s.Until("a prompt", func(screen string) bool { return emptyPrompt.MatchString(screen) })
}

var emptyPrompt = regexp.MustCompile(`(?:^|\n)me \(\d+ alive\)>$`)
