package network

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestUnackedConnectionsAreGivenUp checks both ends of a connection.
func TestUnackedConnectionsAreGivenUp(t *testing.T) {
	t.Parallel()
	l, err := System().Listen(t.Context(), RPC, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dialled, err := System().Dial(t.Context(), RPC, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dialled.Close() }()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = accepted.Close() }()
	for end, conn := range map[string]net.Conn{"dialled": dialled, "accepted": accepted} {
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var got int
		if err := raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }); err != nil {
			t.Fatal(err)
		}
		if d := time.Duration(got) * time.Millisecond; err != nil || d != unackedMost {
			t.Errorf("%s: given up after %s, %v, want %s", end, d, err, unackedMost)
		}
	}
}
