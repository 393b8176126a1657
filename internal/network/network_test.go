package network

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	alice = "10.0.0.1"
	bob   = "10.0.0.2"
)

// pair is a connection between the hosts, and what closes all.
func pair(t *testing.T, m *Memory) (near, far net.Conn) {
	t.Helper()
	l, err := m.Host(bob).Listen(t.Context(), RPC, bob+":0")
	if err != nil {
		t.Fatal(err)
	}
	near, err = m.Host(alice).Dial(t.Context(), RPC, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = near.Close(), far.Close(), l.Close() })
	return near, far
}

// networks runs f on each implementation, with the host part to listen on.
func networks(t *testing.T, f func(t *testing.T, n Network, ip string)) {
	t.Helper()
	t.Parallel()
	t.Run("system", func(t *testing.T) { f(t, System(), "127.0.0.1") })
	t.Run("memory", func(t *testing.T) { f(t, NewMemory().Host(alice), alice) })
}

func TestPackets(t *testing.T) {
	networks(t, func(t *testing.T, n Network, ip string) {
		a, err := n.ListenPacket(t.Context(), ip+":0")
		if err != nil {
			t.Fatal(err)
		}
		b, err := n.ListenPacket(t.Context(), ip+":0")
		if err != nil {
			t.Fatal(err)
		}
		to, err := net.ResolveUDPAddr("udp", b.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.WriteTo([]byte("hello"), to); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 3) // the rest of a packet is cut off
		got, from, err := b.ReadFrom(buf)
		if err != nil || string(buf[:got]) != "hel" || from.String() != a.LocalAddr().String() {
			t.Errorf("got %q from %v, %v", buf[:got], from, err)
		}
		_ = b.SetReadDeadline(time.Now().Add(-time.Second))
		if _, _, err := b.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("past the deadline: %v", err)
		}
		_ = b.Close()
		if _, _, err := b.ReadFrom(buf); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		if _, err := a.WriteTo([]byte("to nobody"), to); err != nil {
			t.Errorf("a packet to nobody: %v", err)
		}
		_ = a.Close()
		if _, err := a.WriteTo([]byte("x"), to); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write on closed: %v", err)
		}
	})
}

func TestStreams(t *testing.T) {
	networks(t, func(t *testing.T, n Network, ip string) {
		l, err := n.Listen(t.Context(), Streams, ip+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if _, err := n.Listen(t.Context(), Streams, l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("taken port: %v", err)
		}
		sent := bytes.Repeat([]byte("0123456789"), 1<<17) // more than a buffer holds
		go func() {
			c, err := n.Dial(context.Background(), Streams, l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := c.Write(sent); err != nil {
				t.Error(err)
			}
			_ = c.Close()
		}()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("got %d of %d bytes, %v", len(got), len(sent), err)
		}
		_ = l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept on closed: %v", err)
		}
		if _, err := n.Dial(t.Context(), Streams, l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial to nobody: %v", err)
		}
	})
}

func TestStreamDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := pair(t, NewMemory())
		isTimeout := func(what string, err error, after time.Duration, since time.Time) {
			t.Helper()
			var ne net.Error
			if !errors.As(err, &ne) || !ne.Timeout() || time.Since(since) != after {
				t.Errorf("%s: %v after %s, want a timeout after %s", what, err, time.Since(since), after)
			}
		}
		start := time.Now()
		_ = near.SetReadDeadline(start.Add(time.Second))
		_, err := near.Read(make([]byte, 1))
		isTimeout("read", err, time.Second, start)
		_, err = near.Read(make([]byte, 1))
		isTimeout("read again", err, time.Second, start)

		start = time.Now()
		_ = near.SetDeadline(start.Add(time.Hour))
		go func() {
			<-time.After(time.Second)
			_ = near.SetDeadline(start.Add(2 * time.Second)) // wakes who waits already
		}()
		_, err = near.Write(make([]byte, window+1))
		isTimeout("write", err, 2*time.Second, start)
	})
}

func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		near, far := pair(t, m)
		a, _ := m.Host(alice).ListenPacket(t.Context(), ":0")
		b, _ := m.Host(bob).ListenPacket(t.Context(), "0.0.0.0:0")
		defer a.Close()
		defer b.Close()

		m.Partition([]string{alice})
		if _, err := a.WriteTo([]byte("lost"), b.LocalAddr()); err != nil {
			t.Errorf("a lost packet: %v", err)
		}
		if _, err := near.Write([]byte("late")); err != nil {
			t.Errorf("write across a cut: %v", err)
		}
		_ = far.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := far.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d across a cut, %v", n, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		var ne net.Error
		if _, err := m.Host(alice).Dial(ctx, RPC, far.LocalAddr().String()); !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("dial across a cut: %v, want a timeout", err)
		}
		if got := time.Since(start); got != 3*time.Second {
			t.Errorf("dialling took %s", got)
		}
		start = time.Now()
		if _, err := m.Host(alice).Dial(t.Context(), RPC, far.LocalAddr().String()); err == nil || time.Since(start) != dialTimeout {
			t.Errorf("dial without an end: %v after %s", err, time.Since(start))
		}

		go func() {
			<-time.After(time.Second)
			m.Heal()
		}()
		_ = far.SetReadDeadline(time.Time{})
		buf := make([]byte, 8)
		if n, err := far.Read(buf); err != nil || string(buf[:n]) != "late" {
			t.Errorf("after healing: %q, %v", buf[:n], err)
		}
		if c, err := m.Host(alice).Dial(t.Context(), RPC, far.LocalAddr().String()); err != nil {
			t.Errorf("dial after healing: %v", err)
		} else {
			_ = c.Close()
		}
		_, _ = a.WriteTo([]byte("found"), b.LocalAddr())
		if n, _, err := b.ReadFrom(buf); err != nil || string(buf[:n]) != "found" {
			t.Errorf("packet after healing: %q, %v; the lost one stays lost", buf[:n], err)
		}
	})
}

func TestKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		before := m.Host(bob)
		near, far := pair(t, m)
		b, err := before.ListenPacket(t.Context(), bob+":7000")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := far.Write([]byte("last words")); err != nil {
			t.Fatal(err)
		}
		m.Kill(bob)
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read from a dead host: %v", err)
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write to a dead host: %v", err)
		}
		if _, _, err := b.ReadFrom(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the dead read: %v", err)
		}
		if _, err := before.Dial(t.Context(), RPC, alice+":1"); !errors.Is(err, errKilled) {
			t.Errorf("the dead dial: %v", err)
		}
		if _, err := before.Listen(t.Context(), RPC, bob+":0"); !errors.Is(err, errKilled) {
			t.Errorf("the dead listen: %v", err)
		}
		again, err := m.Host(bob).ListenPacket(t.Context(), bob+":7000")
		if err != nil {
			t.Fatalf("the next process: %v", err)
		}
		_ = again.Close()
	})
}

func TestPacketsThatFindNoRoomAreDroppedAndCounted(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	a, _ := m.Host(alice).ListenPacket(t.Context(), ":0")
	b, _ := m.Host(bob).ListenPacket(t.Context(), ":0")
	defer a.Close()
	defer b.Close()
	for range queue + 5 {
		_, _ = a.WriteTo([]byte("x"), b.LocalAddr())
	}
	if got := m.Dropped(); got != 5 {
		t.Errorf("%d were dropped, want 5", got)
	}
}

func TestListenerClosedWithConnectionsWaiting(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	l, err := m.Host(bob).Listen(t.Context(), RPC, bob+":0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.Host(alice).Dial(t.Context(), RPC, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = l.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a connection that nobody accepted gave bytes")
	}
}

func TestBadAddresses(t *testing.T) {
	t.Parallel()
	h := NewMemory().Host(alice)
	for _, addr := range []string{"", "nonsense", bob + ":0"} {
		if _, err := h.Listen(t.Context(), RPC, addr); err == nil {
			t.Errorf("listens on %q", addr)
		}
		if _, err := h.ListenPacket(t.Context(), addr); err == nil {
			t.Errorf("listens for packets on %q", addr)
		}
	}
	if _, err := h.Dial(t.Context(), RPC, "nonsense"); err == nil {
		t.Error("dials nonsense")
	}
}

// TestCloseBehindAPartition checks that who reads a connection is told that it is closed, also while the other end cannot be reached.
func TestCloseBehindAPartition(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	near, far := pair(t, m)
	defer far.Close()
	m.Partition([]string{alice}, []string{bob})
	_ = near.Close()
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}
