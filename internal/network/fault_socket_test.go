package network

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// onSockets are the faults of alice on real sockets; bob is at the given addresses.
func onSockets(t *testing.T, bob ...net.Addr) *Faults {
	t.Helper()
	f := NewFaults(System(), 1)
	f.Bind("alice", func(addr string) string {
		for _, b := range bob {
			if b.String() == addr {
				return "bob"
			}
		}
		return ""
	}, nil)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestPacketFaultsOnSockets(t *testing.T) {
	t.Parallel()
	b, err := System().ListenPacket(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	f := onSockets(t, b.LocalAddr())
	a, err := f.ListenPacket(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	// read takes one packet, and fails the test rather than to wait for ever.
	read := func(c net.PacketConn) uint32 {
		t.Helper()
		buf := make([]byte, 100)
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, _, err := c.ReadFrom(buf)
		if err != nil || n != 4 {
			t.Fatalf("%d bytes, %v", n, err)
		}
		return binary.BigEndian.Uint32(buf)
	}
	write := func(from, to net.PacketConn, n uint32) {
		t.Helper()
		if _, err := from.WriteTo(binary.BigEndian.AppendUint32(nil, n), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	// What is lost is lost before it is sent, so that the next to come is one sent afterwards.
	id := set(t, f, "partition alice -> bob")
	write(a, b, 1)
	if err := f.Heal(id); err != nil {
		t.Fatal(err)
	}
	write(a, b, 2)
	if got := read(b); got != 2 {
		t.Errorf("got packet %d", got)
	}
	set(t, f, "partition bob -> alice")
	write(b, a, 3)
	_ = a.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, _, err := a.ReadFrom(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a packet came through: %v", err)
	}
	f.HealAll()
	set(t, f, "duplicate 100%")
	set(t, f, "latency 5ms")
	write(a, b, 4)
	if x, y := read(b), read(b); x != 4 || y != 4 {
		t.Errorf("got %d and %d", x, y)
	}
	f.HealAll()
	set(t, f, "reorder 100%")
	write(a, b, 5)
	f.HealAll()
	write(a, b, 6)
	if x, y := read(b), read(b); x+y != 11 {
		t.Errorf("got %d and %d", x, y)
	}
}

func TestStreamFaultsOnSockets(t *testing.T) {
	t.Parallel()
	ln, err := System().Listen(t.Context(), RPC, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f := onSockets(t, ln.Addr())
	connect := func() (near, far net.Conn) {
		t.Helper()
		near, err := f.Dial(t.Context(), RPC, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if far, err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = near.Close(), far.Close() })
		return near, far
	}
	for _, rule := range []string{"latency 20ms±10ms", "loss 1% on rpc", "bandwidth 20MB/s", "partition for 50ms", "partition bob -> alice for 50ms"} {
		near, far := connect()
		rules := func(i int) {
			switch i {
			case 50:
				set(t, f, rule)
			case 150:
				f.HealAll()
			}
		}
		passes(t, near, far, noise(2_000_000), 10_000, rules)
		near, far = connect()
		passes(t, far, near, noise(2_000_000), 10_000, rules)
	}

	// A reader that waits keeps its deadline when a rule comes in between, and the bytes come after it.
	near, far := connect()
	_ = near.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	set(t, f, "partition")
	if _, err := far.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	if n, err := near.Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v", n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.Dial(ctx, RPC, ln.Addr().String()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("dial: %v", err)
	}
	f.HealAll()
	_ = near.SetReadDeadline(time.Now().Add(30 * time.Second))
	buf := make([]byte, 4)
	if _, err := io.ReadFull(near, buf); err != nil || string(buf) != "late" {
		t.Errorf("after healing: %q, %v", buf, err)
	}
}
