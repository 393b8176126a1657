//go:build unix

package testcoord

import (
	"os"
	"os/exec"
	"syscall"
)

func terminate(cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGTERM) }

// killGroup kills a command and all that it started; an empty group is no error.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// Freeze stops a peer with all that it started (SIGSTOP).
func (p *process) Freeze() error { return p.signalGroup(syscall.SIGSTOP) }

// Thaw continues it (SIGCONT).
func (p *process) Thaw() error { return p.signalGroup(syscall.SIGCONT) }

// signalGroup does nothing to a process that has ended: its number may belong to another by then.
func (p *process) signalGroup(s syscall.Signal) error {
	select {
	case <-p.done:
		return os.ErrProcessDone
	default:
		return syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

var _ Freezer = (*process)(nil)
