package network

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestUnackedConnectionsAreGivenUp(t *testing.T) {
	t.Parallel()
	l, err := System().Listen(t.Context(), RPC, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conn, err := System().Dial(t.Context(), RPC, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var got int
	var asked error
	err = raw.Control(func(fd uintptr) { got, asked = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) })
	if d := time.Duration(got) * time.Millisecond; err != nil || asked != nil || d != unackedMost {
		t.Errorf("given up after %s, %v, %v, want %s", d, err, asked, unackedMost)
	}
}
