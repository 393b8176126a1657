package network

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// giveUpUnacked sets unackedMost, as the Control of a dialer.
func giveUpUnacked(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unackedMost.Milliseconds()))
	})
	return errors.Join(err, set)
}
