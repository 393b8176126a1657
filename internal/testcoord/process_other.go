//go:build !unix

package testcoord

import "os/exec"

func ownGroup(*exec.Cmd) {}

// terminate kills: there is no gentler way that every system knows.
func terminate(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
