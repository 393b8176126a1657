package netns

import (
	"bufio"
	"cmp"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/network"
)

// datagrams is a way to an echo, over a socket of a network.
type datagrams struct {
	net.PacketConn
	to net.Addr
}

func (d datagrams) Write(b []byte) (int, error) { return d.WriteTo(b, d.to) }

func (d datagrams) Read(b []byte) (int, error) {
	n, _, err := d.ReadFrom(b)
	return n, err
}

// packetEcho starts an echo of datagrams at bob, and returns alice's way to it.
func packetEcho(t *testing.T, g ground) datagrams {
	t.Helper()
	open := func(name string) net.PacketConn {
		pc, err := g.network(name).ListenPacket(t.Context(), net.JoinHostPort(g.host(name), "0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pc.Close() })
		return pc
	}
	alice, bob := open("alice"), open("bob")
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 2048)
		for {
			n, from, err := bob.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = bob.WriteTo(b[:n], from)
		}
	}()
	t.Cleanup(func() {
		_ = bob.Close()
		<-done
	})
	return datagrams{alice, bob.LocalAddr()}
}

// streamEcho starts an echo of one connection at bob, and returns alice's end of it.
func streamEcho(t *testing.T, g ground) net.Conn {
	t.Helper()
	ln, err := g.network("bob").Listen(t.Context(), network.RPC, net.JoinHostPort(g.host("bob"), "0"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = bufio.NewReader(c).WriteTo(c)
	}()
	conn, err := g.network("alice").Dial(t.Context(), network.RPC, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = ln.Close()
		<-done
	})
	return conn
}

// streamTrip is the median time of a byte there and back on a connection.
func streamTrip(t *testing.T, conn net.Conn, n int) time.Duration {
	t.Helper()
	var trips []time.Duration
	b := []byte{0}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	for range n {
		start := time.Now()
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, b); err != nil {
			t.Fatal(err)
		}
		trips = append(trips, time.Since(start))
	}
	slices.Sort(trips)
	return trips[n/2]
}

// streamRate is how many bytes a second a connection carries to the echo and back.
func streamRate(t *testing.T, conn net.Conn, size int) float64 {
	t.Helper()
	sent := make(chan error, 1)
	start := time.Now()
	_ = conn.SetDeadline(start.Add(time.Minute))
	go func() {
		_, err := conn.Write(make([]byte, size))
		sent <- err
	}()
	if _, err := io.ReadFull(conn, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	return float64(size) / time.Since(start).Seconds()
}

// measureAgain is how often something is measured that a busy machine has disturbed.
const measureAgain = 5

// within measures until a value lies between two, a few times.
func within[T cmp.Ordered](t *testing.T, what string, measure func() T, least, most T) {
	t.Helper()
	for try := 1; ; try++ {
		got := measure()
		switch {
		case got >= least && got <= most:
			return
		case try == measureAgain:
			t.Errorf("%s: %v, want %v to %v", what, got, least, most)
			return
		}
		t.Logf("%s: %v, measured again", what, got)
	}
}

// TestSameNumbers sets the same fault from alice to bob on each ground, and holds what happens to datagrams and
// connections to the same bounds.
func TestSameNumbers(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: 25 s on each ground")
	}
	for ground, start := range grounds {
		t.Run(ground, func(t *testing.T) {
			g := start(t, cast[:2])
			conn, n := packetEcho(t, g), 2000
			probe := func(fault string, loss float64) measured {
				t.Helper()
				if fault != "" {
					g.set(t, fault+" alice -> bob")
					defer g.heal(t)
				}
				m := measure(t, conn, n, time.Millisecond, 500*time.Millisecond)
				t.Logf("%-20s %s", cmp.Or(fault, "no fault"), m)
				checkShare(t, fault+": lost", m.lost(), loss, n)
				return m
			}
			median := func(fault string) func() time.Duration {
				return func() time.Duration { return probe(fault, 0).median }
			}
			within(t, "no fault", median(""), 0, busy)
			sameRate(t, g)
			if !g.full(t) {
				return
			}
			const slow = 50 * time.Millisecond
			within(t, "latency", median("latency 50ms"), slow, slow+busy)
			g.set(t, "latency 50ms alice -> bob")
			within(t, "latency of a stream", func() time.Duration {
				trip := streamTrip(t, streamEcho(t, g), 40)
				t.Logf("%-20s stream round trip %.1f ms", "latency 50ms", ms(trip))
				return trip
			}, slow, slow+busy)
			g.heal(t)
			const jitter = "latency 50ms±20ms"
			within(t, "jitter, lowest", func() time.Duration { return probe(jitter, 0).p5 }, 30*time.Millisecond, 45*time.Millisecond)
			within(t, "jitter, highest", func() time.Duration { return probe(jitter, 0).p95 }, 60*time.Millisecond, 70*time.Millisecond+busy)
			probe("loss 20%", 0.2)
			m := probe("duplicate 10%", 0)
			checkShare(t, "twice", float64(m.twice)/float64(m.back), 0.1, m.back)
			m = probe("reorder 10%", 0)
			if m.late < n/50 || m.late > n/4 {
				t.Errorf("of %d datagrams, %d came late", n, m.late)
			}
		})
	}
}

// busy is how much a machine that does other things may add: what a fault adds is certain, this is not.
const busy = 40 * time.Millisecond

// sameRate limits the bandwidth of a stream.
func sameRate(t *testing.T, g ground) {
	t.Helper()
	free := streamRate(t, streamEcho(t, g), 1_000_000)
	g.set(t, "bandwidth 500KB/s alice -> bob")
	defer g.heal(t)
	within(t, "a link of 500 kB/s", func() float64 {
		rate := streamRate(t, streamEcho(t, g), 1_000_000)
		t.Logf("%-20s %.0f kB/s, without %.0f kB/s", "bandwidth 500KB/s", rate/1000, free/1000)
		return rate
	}, 250_000, 600_000)
}

// TestSameRoundTrip lets members measure a latency by their probes.
func TestSameRoundTrip(t *testing.T) {
	for ground, start := range grounds {
		t.Run(ground, func(t *testing.T) {
			t.Parallel()
			g := start(t, cast[:3])
			if !g.full(t) {
				t.Skip("skipped: this kernel has no netem")
			}
			s := startGroup(t, g, cast[:3])
			g.set(t, "latency 50ms alice -> bob")
			t.Logf("alice to bob %s", s.roundTrip(t, 0, 1, 50*time.Millisecond, 90*time.Millisecond))
			t.Logf("bob to alice %s", s.roundTrip(t, 1, 0, 50*time.Millisecond, 90*time.Millisecond))
			t.Logf("alice to carol %s", s.roundTrip(t, 0, 2, 1, 40*time.Millisecond))
			s.see(t, everybody(cast[:3])...)
		})
	}
}
