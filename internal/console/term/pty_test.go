//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"
)

// patience bounds each wait for the helper. It is not a measure of speed.
const patience = 30 * time.Second

// session is the helper on a terminal of its own, with an emulated screen.
type session struct {
	t      *testing.T
	cmd    *exec.Cmd
	fd     int // of master
	master *os.File
	slave  *os.File // kept open, to read the modes after the end
	before *unix.Termios

	mu     sync.Mutex
	change sync.Cond // signalled when output came, or its end; on mu
	vt     vt10x.Terminal
	raw    bytes.Buffer // all output
	eof    bool
	waited chan error
}

func start(t *testing.T, mode string, rows, cols int, env ...string) *session {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Skipf("no pty here: %v", err)
	}
	if err := pty.Setsize(master, &pty.Winsize{Rows: uint16(rows), Cols: uint16(cols)}); err != nil {
		t.Fatal(err)
	}
	// A file that the poller serves, so that Close ends a Read.
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = errors.Join(unix.SetNonblock(fd, true), master.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "pty")
	s := &session{t: t, fd: fd, master: master, slave: slave, vt: vt10x.New(vt10x.WithSize(cols, rows)), waited: make(chan error, 1)}
	s.change.L = &s.mu
	s.before = s.modes()
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = append(os.Environ(), helperEnv+"="+mode, "TERM=xterm", "NO_COLOR=1",
		"GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0", "HELPER_HISTORY="+filepath.Join(t.TempDir(), "history"))
	s.cmd.Env = append(s.cmd.Env, env...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	readers.Go(s.read)
	go func() { s.waited <- s.cmd.Wait() }()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // no error if it has ended
		_ = slave.Close()
		_ = master.Close()
		readers.Wait()
		if t.Failed() {
			t.Logf("screen:\n%s", s.screen())
		}
	})
	return s
}

func (s *session) modes() *unix.Termios {
	m, err := unix.IoctlGetTermios(int(s.slave.Fd()), getTermios)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// read feeds the emulated screen.
func (s *session) read() {
	buf := make([]byte, 4096)
	for {
		n, err := s.master.Read(buf)
		s.mu.Lock()
		s.raw.Write(buf[:n])
		_, _ = s.vt.Write(buf[:n])
		s.eof = err != nil
		s.change.Broadcast()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *session) screen() string {
	var out []string
	for line := range strings.SplitSeq(s.vt.String(), "\n") {
		out = append(out, strings.TrimRight(line, " "))
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}

// until waits until ok holds of the screen.
func (s *session) until(what string, ok func(screen string) bool) {
	s.t.Helper()
	expired := false
	timer := time.AfterFunc(patience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		expired = true
		s.change.Broadcast()
	})
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !ok(s.screen()) {
		if expired || s.eof {
			s.t.Fatalf("never on the screen: %s\n%s", what, s.screen())
		}
		s.change.Wait()
	}
}

func (s *session) see(text string) {
	s.t.Helper()
	s.until(text, func(screen string) bool { return strings.Contains(screen, text) })
}

// ready waits for an empty prompt on the last line that has text.
func (s *session) ready() {
	s.t.Helper()
	s.until("a prompt", func(screen string) bool { return emptyPrompt.MatchString(screen) })
}

var emptyPrompt = regexp.MustCompile(`(?:^|\n)me \(\d+ alive\)>$`)

func (s *session) send(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the end of the helper, and checks its exit code and that the terminal is as before.
func (s *session) ends(code int) {
	s.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var err error
	select {
	case err = <-s.waited:
	case <-timer.C:
		s.t.Fatal("it does not end")
	}
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	}
	if got != code {
		s.t.Errorf("exit code %d, want %d", got, code)
	}
	if diff := cmp.Diff(s.before, s.modes()); diff != "" {
		s.t.Errorf("the terminal is not as before:\n%s", diff)
	}
}
