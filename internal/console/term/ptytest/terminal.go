//go:build linux || darwin || freebsd || netbsd || openbsd

package ptytest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"
)

// patience bounds each wait. It is not a measure of speed.
const patience = 30 * time.Second

// Terminal is a terminal with a program on it. Its methods fail the test, and are for the goroutine of the test.
type Terminal struct {
	t      testing.TB
	cmd    *exec.Cmd
	fd     int // of master
	master *os.File
	slave  *os.File // kept open, to read the modes after the end
	before *xterm.State
	ended  chan struct{} // closed when the program has ended

	mu     sync.Mutex
	change sync.Cond      // signalled when output came, or its end; on mu
	vt     vt10x.Terminal // guarded by mu, like all below
	output bytes.Buffer
	eof    bool
}

// Start runs a program as the leader of a session on a new terminal, until the end of the test. A system without
// terminals skips the test.
func Start(t testing.TB, cmd *exec.Cmd, rows, cols int) *Terminal {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	p := &Terminal{
		t: t, cmd: cmd, slave: slave, ended: make(chan struct{}),
		vt: vt10x.New(vt10x.WithSize(cols, rows)),
	}
	p.change.L = &p.mu
	// A file that the poller serves, so that Close ends a Read.
	p.fd, err = unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = errors.Join(unix.SetNonblock(p.fd, true), master.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	p.master = os.NewFile(uintptr(p.fd), "pty")
	p.setSize(rows, cols)
	p.before = p.modes()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var goroutines sync.WaitGroup
	goroutines.Go(p.read)
	goroutines.Go(func() {
		defer close(p.ended)
		_ = cmd.Wait() // the state is read from ProcessState
	})
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // no error if it has ended
		_ = slave.Close()
		_ = p.master.Close()
		goroutines.Wait()
		if t.Failed() {
			t.Logf("the screen of %s at the end:\n%s", cmd.Path, p.Screen())
		}
	})
	return p
}

func (p *Terminal) modes() *xterm.State {
	p.t.Helper()
	state, err := xterm.GetState(int(p.slave.Fd()))
	if err != nil {
		p.t.Fatal(err)
	}
	return state
}

// read feeds the emulated screen.
func (p *Terminal) read() {
	buf := make([]byte, 4096)
	for {
		n, err := p.master.Read(buf)
		p.mu.Lock()
		p.output.Write(buf[:n])
		_, _ = p.vt.Write(buf[:n])
		p.eof = err != nil
		p.change.Broadcast()
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Screen is the text that stands there, without blanks at the end of lines and without empty lines at the end.
func (p *Terminal) Screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen()
}

func (p *Terminal) screen() string {
	var out []string
	for line := range strings.SplitSeq(p.vt.String(), "\n") {
		out = append(out, strings.TrimRight(line, " "))
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}

// Cursor is where the cursor stands, from 0.
func (p *Terminal) Cursor() (row, col int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.vt.Cursor()
	return c.Y, c.X
}

// Output is all that was ever written to the terminal.
func (p *Terminal) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// Until waits until ok holds of the screen.
func (p *Terminal) Until(what string, ok func(screen string) bool) {
	p.t.Helper()
	p.wait(what, func() bool { return ok(p.screen()) })
}

// UntilOutput waits until ok holds of all that was ever written.
func (p *Terminal) UntilOutput(what string, ok func(output string) bool) {
	p.t.Helper()
	p.wait(what, func() bool { return ok(p.output.String()) })
}

func (p *Terminal) wait(what string, ok func() bool) {
	p.t.Helper()
	expired := false
	timer := time.AfterFunc(patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		expired = true
		p.change.Broadcast()
	})
	defer timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !ok() {
		if expired || p.eof {
			p.t.Fatalf("never seen: %s; the screen is\n%s", what, p.screen())
		}
		p.change.Wait()
	}
}

// See waits until a text stands on the screen.
func (p *Terminal) See(text string) {
	p.t.Helper()
	p.Until(text, func(screen string) bool { return strings.Contains(screen, text) })
}

// Send types, all at once.
func (p *Terminal) Send(keys string) {
	p.t.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// Resize gives the window another size, which the program is told by a signal.
func (p *Terminal) Resize(rows, cols int) {
	p.t.Helper()
	p.mu.Lock()
	p.vt.Resize(cols, rows)
	p.mu.Unlock()
	p.setSize(rows, cols)
}

func (p *Terminal) setSize(rows, cols int) {
	p.t.Helper()
	size := unix.Winsize{Row: uint16(rows), Col: uint16(cols)} //nolint:gosec // sizes of tests
	if err := unix.IoctlSetWinsize(p.fd, unix.TIOCSWINSZ, &size); err != nil {
		p.t.Fatal(err)
	}
}

// Signal sends a signal to the program.
func (p *Terminal) Signal(signal os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
}

// TypedAhead is the line that was typed, and that nobody has read. The program has ended.
func (p *Terminal) TypedAhead() (string, error) {
	ready := []unix.PollFd{{Fd: int32(p.slave.Fd()), Events: unix.POLLIN}} //nolint:gosec // a file descriptor
	if n, err := unix.Poll(ready, int(patience/time.Millisecond)); n <= 0 {
		return "", errors.Join(errors.New("nothing"), err)
	}
	line := make([]byte, 4096)
	n, err := unix.Read(int(p.slave.Fd()), line)
	return string(line[:max(n, 0)]), err
}

// HangUp takes the terminal away.
func (p *Terminal) HangUp() {
	p.t.Helper()
	if err := errors.Join(p.slave.Close(), p.master.Close()); err != nil {
		p.t.Fatal(err)
	}
}

// Gone waits for the end of the program, and returns its exit code, which is -1 after a signal that it did not take.
func (p *Terminal) Gone() (code int) {
	p.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.t.Fatalf("it does not end; the screen is\n%s", p.Screen())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Ends waits for the end of the program, and checks its exit code and that the terminal is as it was found.
func (p *Terminal) Ends(code int) {
	p.t.Helper()
	if got := p.Gone(); got != code {
		p.t.Errorf("exit code %d, want %d", got, code)
	}
	p.CheckModes()
}

// CheckModes checks that the terminal is as it was found.
func (p *Terminal) CheckModes() {
	p.t.Helper()
	if now := p.modes(); !reflect.DeepEqual(p.before, now) {
		p.t.Errorf("the terminal was %+v, and is %+v", *p.before, *now)
	}
}
