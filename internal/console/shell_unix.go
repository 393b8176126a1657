//go:build linux || darwin || freebsd || netbsd || openbsd

package console

import (
	"os/exec"
	"syscall"
)

// ownGroup lets the end of the context end all that the command has started, and not the command alone.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
