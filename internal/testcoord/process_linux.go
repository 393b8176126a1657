package testcoord

import (
	"os/exec"
	"syscall"
)

// ownGroup makes a command lead a process group, and end when this process does.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
