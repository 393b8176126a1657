//go:build unix && !linux

package testcoord

import (
	"os/exec"
	"syscall"
)

// ownGroup makes a command lead a process group.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
