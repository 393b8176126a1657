package netns

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup keeps a Ctrl-C at the terminal from ending a tool in the middle: what is half built could
// not be taken down.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// permitted reports whether this process may try at all.
func permitted() error {
	if os.Geteuid() != 0 {
		return &MissingError{
			What: "root", Err: fmt.Errorf("this process runs as user %d", os.Geteuid()),
			Helps: "run it with sudo, or in a container as root with --privileged",
		}
	}
	for _, tool := range []string{"ip", "tc"} {
		if _, err := exec.LookPath(tool); err != nil {
			return &MissingError{What: "the command " + tool, Err: err, Helps: "install iproute2 (apt install iproute2, dnf install iproute-tc)"}
		}
	}
	return nil
}

// namesDir is where the command ip keeps the names of namespaces.
const namesDir = "/var/run/netns"

// inside runs f in a network namespace, on a thread of its own: sockets that f opens belong to that
// namespace for as long as they live. f must not start goroutines that open sockets.
func inside(ns string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		restored, err := switched(filepath.Join(namesDir, ns), f)
		if restored {
			runtime.UnlockOSThread()
		} // else the thread ends with this goroutine, and nobody else ever runs in the wrong place
		done <- err
	}()
	return <-done
}

// switched runs f while this thread is in the namespace of a file, and reports whether the thread is
// back where it was.
func switched(path string, f func() error) (restored bool, err error) {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return true, err
	}
	defer func() { _ = home.Close() }()
	there, err := os.Open(path)
	if err != nil {
		return true, err
	}
	defer func() { _ = there.Close() }()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return true, fmt.Errorf("enter the namespace %s: %w", filepath.Base(path), err)
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return false, errors.Join(err, fmt.Errorf("leave the namespace %s: %w", filepath.Base(path), back))
	}
	return true, err
}

// startOf is when a process began, in ticks since the machine did; with its number it names the process
// for good. The error is os.ErrNotExist when there is none of that number, or it has ended and only waits
// for its parent to notice.
func startOf(pid int) (uint64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the name in parentheses, which may hold anything; the 22nd is the start.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const start = 22 - 3
	if len(fields) <= start {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields)+2)
	}
	if state := fields[0][0]; state == 'Z' || state == 'X' {
		return 0, os.ErrNotExist
	}
	return strconv.ParseUint(string(fields[start]), 10, 64)
}
