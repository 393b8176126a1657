package testcoord

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// ProcessRunner is a Runner that starts one process for each peer, in a process group of its own, with
// no standard input. The processes end with the coordinator even if it is killed, where the system can do that
// (Linux).
type ProcessRunner struct {
	// Command makes the command of a peer: path, arguments and environment. Standard streams are set by
	// the runner. It may be called from several goroutines at once.
	Command func(name string) (*exec.Cmd, error)
	// Logs, if not empty, is a directory that exists and gets all that a peer writes, in NAME.log.
	Logs string
}

// Start starts a peer.
func (r *ProcessRunner) Start(_ context.Context, name string) (Process, error) {
	cmd, err := r.Command(name)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	if r.Logs != "" {
		f, err := os.OpenFile(filepath.Join(r.Logs, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("log of %s: %w", name, err)
		}
		p.file = f
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, p, p
	// A process that the peer started may keep its output open; that must not keep the run.
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	started := make(chan error)
	go p.watch(started) // ends with the process
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// process is a started process. It takes what the process writes, of which it keeps the end.
type process struct {
	cmd    *exec.Cmd
	file   *os.File // nil without a log directory
	done   chan struct{}
	status string // valid when done is closed

	mu   sync.Mutex
	tail []byte // guarded by mu
}

// watch starts the process and waits for its end. Both happen on one thread that lives as long: the
// system ends the process when the thread ends that started it (PR_SET_PDEATHSIG in prctl(2)).
func (p *process) watch(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	if err != nil {
		p.closeLog()
		started <- err
		return
	}
	started <- nil
	err = p.cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		p.status = exit.String()
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		p.status = err.Error()
	}
	killGroup(p.cmd) // what it started and left behind
	p.closeLog()
	close(p.done)
}

func (p *process) closeLog() {
	if p.file != nil {
		_ = p.file.Close()
	}
}

func (p *process) Done() <-chan struct{} { return p.done }

func (p *process) Status() string { return p.status }

func (p *process) Terminate() { terminate(p.cmd) }

// Kill does nothing to a process that has ended: its number may belong to another by then.
func (p *process) Kill() {
	select {
	case <-p.done:
	default:
		killGroup(p.cmd)
	}
}

// keepTail is how much of the end of its output is kept for each process, in bytes.
const keepTail = 64 << 10

// Write takes what the process writes.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file != nil {
		_, _ = p.file.Write(b) // a full disk must not stop the peer
	}
	p.tail = append(p.tail, b...)
	if len(p.tail) > 2*keepTail {
		p.tail = append([]byte(nil), p.tail[len(p.tail)-keepTail:]...)
	}
	return len(b), nil
}

func (p *process) Tail(n int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := strings.TrimRight(string(bytes.ToValidUTF8(p.tail, []byte("\ufffd"))), "\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-n):]
}
