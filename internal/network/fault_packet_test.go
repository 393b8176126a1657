package network

import (
	"encoding/binary"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// faultLab are peers on a network in memory, each with its own faults.
type faultLab struct {
	t      *testing.T
	memory *Memory
	byAddr map[string]string // host -> name
}

// inFaultLab runs a test in virtual time.
func inFaultLab(t *testing.T, test func(l *faultLab)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		test(&faultLab{t: t, memory: NewMemory(), byAddr: map[string]string{alice: "alice", bob: "bob", "10.0.0.3": "carol", "10.0.0.9": Bootstrap}})
	})
}

// at is the network of the peer on a host.
func (l *faultLab) at(ip string) *Faults {
	f := NewFaults(l.memory.Host(ip), 42)
	f.Bind(l.byAddr[ip], func(addr string) string { return l.byAddr[address(addr).host()] }, nil)
	l.t.Cleanup(func() { _ = f.Close() })
	return f
}

// set sets a rule and returns its id.
func set(t testing.TB, f *Faults, text string) string {
	t.Helper()
	r, err := ParseRule(text)
	if err == nil {
		r, err = f.Set(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// socket opens a socket for packets.
func (l *faultLab) socket(n Network) net.PacketConn {
	l.t.Helper()
	c, err := n.ListenPacket(l.t.Context(), ":0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = c.Close() })
	return c
}

// arrival is a packet by number, and when it came.
type arrival struct {
	n     int
	after time.Duration
}

// send sends packets of a size, numbered, with pauses.
func send(t *testing.T, from net.PacketConn, to net.Addr, count, size int, every time.Duration) {
	t.Helper()
	b := make([]byte, size)
	for i := range count {
		binary.BigEndian.PutUint32(b, uint32(i))
		if _, err := from.WriteTo(b, to); err != nil {
			t.Errorf("packet %d: %v", i, err)
		}
		if every > 0 {
			<-time.After(every)
		}
	}
}

// receive reads until nothing has come for that long.
func receive(t *testing.T, c net.PacketConn, start time.Time, quiet time.Duration) (got []arrival) {
	t.Helper()
	b := make([]byte, 64<<10)
	for {
		_ = c.SetReadDeadline(time.Now().Add(quiet))
		n, _, err := c.ReadFrom(b)
		if os.IsTimeout(err) {
			return got
		}
		if err != nil || n < 4 {
			t.Fatalf("%d bytes, %v", n, err)
		}
		got = append(got, arrival{int(binary.BigEndian.Uint32(b)), time.Since(start)})
	}
}

// exchange sends packets from alice to bob under a rule of alice.
func (l *faultLab) exchange(rule string, count, size int, every time.Duration) (got []arrival, status FaultStatus) {
	l.t.Helper()
	f := l.at(alice)
	a, b := l.socket(f), l.socket(l.at(bob))
	set(l.t, f, rule)
	start := time.Now()
	go send(l.t, a, b.LocalAddr(), count, size, every)
	got = receive(l.t, b, start, 10*time.Second)
	return got, f.List()[0]
}

func numbers(got []arrival) (out []int) {
	for _, a := range got {
		out = append(out, a.n)
	}
	return out
}

func TestPacketLoss(t *testing.T) {
	var first []int
	for range 2 { // the same is lost with the same seed
		synctest.Test(t, func(t *testing.T) {
			l := &faultLab{t: t, memory: NewMemory(), byAddr: map[string]string{alice: "alice", bob: "bob"}}
			got, status := l.exchange("loss 10%", 10000, 8, time.Millisecond)
			// 1000 are lost on average, with a standard deviation of 30.
			if lost := 10000 - len(got); lost < 880 || lost > 1120 {
				t.Errorf("%d of 10000 were lost", lost)
			}
			if h := status.Links[0]; h.Lost != uint64(10000-len(got)) || h.Hits != h.Lost || h.From != "alice" || h.To != "bob" {
				t.Errorf("counted %+v, and %d came", h, len(got))
			}
			if first == nil {
				first = numbers(got)
			} else if !slices.Equal(first, numbers(got)) {
				t.Error("with one seed, others were lost")
			}
		})
	}
}

func TestPacketDuplicates(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		got, status := l.exchange("duplicate 20%", 10000, 8, time.Millisecond)
		// 2000 on average, with a standard deviation of 40.
		if copies := len(got) - 10000; copies < 1840 || copies > 2160 || status.Links[0].Hits != uint64(copies) || status.Links[0].Lost != 0 {
			l.t.Errorf("%d copies of 10000; counted %+v", copies, status.Links)
		}
		ns := numbers(got)
		if !slices.IsSorted(ns) || len(slices.Compact(ns)) != 10000 {
			l.t.Error("copies came in another order")
		}
	})
}

func TestPacketReorder(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		got, status := l.exchange("reorder 5%", 10000, 8, time.Millisecond)
		late := 0
		for i := 1; i < len(got); i++ {
			if got[i].n < got[i-1].n {
				late++
			}
		}
		// 500 are held back, with a standard deviation of 22; of two in a row, only one is overtaken.
		if len(got) != 10000 || late < 380 || late > 570 || status.Links[0].Hits < uint64(late) {
			l.t.Errorf("%d came, %d late; counted %+v", len(got), late, status.Links)
		}
		if last := got[len(got)-1].after; last > 10*time.Second+heldBack {
			l.t.Errorf("the last came after %s", last)
		}
	})
}

func TestAPacketThatNothingOvertakesComesLate(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		got, _ := l.exchange("reorder 100%", 1, 8, 0)
		if len(got) != 1 || got[0].after != heldBack {
			l.t.Errorf("got %v", got)
		}
	})
}

func TestPacketLatency(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		got, status := l.exchange("latency 100ms±20ms on packets", 2000, 8, time.Millisecond)
		var least, most, sum time.Duration = time.Hour, 0, 0
		for _, a := range got {
			took := a.after - time.Duration(a.n)*time.Millisecond
			least, most, sum = min(least, took), max(most, took), sum+took
		}
		mean := sum / time.Duration(len(got))
		if len(got) != 2000 || least < 80*time.Millisecond || least > 81*time.Millisecond || most > 120*time.Millisecond || most < 119*time.Millisecond ||
			(mean-100*time.Millisecond).Abs() > time.Millisecond {
			l.t.Errorf("%d came after %s to %s, %s on average", len(got), least, most, mean)
		}
		if slices.IsSorted(numbers(got)) {
			l.t.Error("jitter changed no order")
		}
		if status.Links[0].Hits != 2000 {
			l.t.Errorf("counted %+v", status.Links)
		}
	})
}

func TestLatenciesAddUp(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		a, b := l.socket(f), l.socket(l.at(bob))
		set(t, f, "latency 100ms alice -> bob")
		set(t, f, "latency 50ms alice <-> *")
		set(t, f, "latency 1s alice <-> carol")
		set(t, f, "latency 1s bob -> alice")
		set(t, f, "latency 1s on streams,rpc")
		start := time.Now()
		send(t, a, b.LocalAddr(), 1, 8, 0)
		if got := receive(t, b, start, time.Minute); len(got) != 1 || got[0].after != 150*time.Millisecond {
			t.Errorf("got %v", got)
		}
	})
}

func TestPacketBandwidth(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		got, status := l.exchange("bandwidth 100KB/s", 200, 1000, 0)
		// 10 ms each; 64 KiB wait, one is on the way when the limit is asked, and the rest is lost.
		if want := linkQueue/1000 + 1; len(got) != want {
			l.t.Errorf("%d came, want %d", len(got), want)
		}
		for _, a := range got {
			if want := time.Duration(a.n+1) * 10 * time.Millisecond; a.after != want {
				l.t.Fatalf("packet %d came after %s, want %s", a.n, a.after, want)
			}
		}
		if status.Links[0].Hits != 200 || status.Links[0].Lost != uint64(200-len(got)) {
			l.t.Errorf("counted %+v", status.Links)
		}
	})
}

// A packet that finds the link free is late, too.
func TestPacketBandwidthOfOne(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		got, status := l.exchange("bandwidth 100KB/s", 1, 1000, 0)
		if len(got) != 1 || got[0].after != 10*time.Millisecond || len(status.Links) != 1 || status.Links[0].Hits != 1 || status.Links[0].Lost != 0 {
			l.t.Errorf("%v came, counted %+v", got, status.Links)
		}
	})
}

func TestPacketPartitions(t *testing.T) {
	for rule, want := range map[string]struct{ ab, ba bool }{ // what passes while bob has the rule
		"partition":                     {false, false},
		"partition alice | bob carol":   {false, false},
		"partition alice -> bob":        {false, true}, // kept by the receiver
		"partition bob -> alice":        {true, false}, // kept by the sender
		"partition alice | carol":       {true, true},
		"partition on streams":          {true, true},
		"partition except alice bob":    {true, true},
		"partition bob | * on packets":  {false, false},
		"partition alice | bob for 10s": {false, false},
	} {
		t.Run(rule, func(t *testing.T) {
			inFaultLab(t, func(l *faultLab) {
				f := l.at(bob)
				a, b := l.socket(l.at(alice)), l.socket(f)
				set(l.t, f, rule)
				check := func(what string, from, to net.PacketConn, want bool) {
					l.t.Helper()
					send(l.t, from, to.LocalAddr(), 1, 8, 0)
					if got := len(receive(l.t, to, time.Now(), time.Second)) == 1; got != want {
						l.t.Errorf("%s: passed: %v", what, got)
					}
				}
				check("alice to bob", a, b, want.ab)
				check("bob to alice", b, a, want.ba)
				if lost := !want.ab || !want.ba; lost != (len(f.List()[0].Links) > 0) {
					l.t.Errorf("counted %+v", f.List()[0].Links)
				}
				if want := 10 * time.Second; f.List()[0].Left > 0 {
					<-time.After(want)
				} else if n := f.HealAll(); n != 1 {
					l.t.Errorf("%d rules healed", n)
				}
				check("healed, alice to bob", a, b, true)
				check("healed, bob to alice", b, a, true)
			})
		})
	}
}

func TestHealingFreesPacketsUnderWay(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		a, b, c := l.socket(f), l.socket(l.at(bob)), l.socket(l.at("10.0.0.3"))
		set(l.t, f, "latency 1h")
		start := time.Now()
		send(l.t, a, b.LocalAddr(), 3, 8, 0)
		send(l.t, a, c.LocalAddr(), 3, 8, 0)
		_, _ = f.HealLink("alice", "bob")
		if got := receive(l.t, b, start, time.Second); !slices.Equal(numbers(got), []int{0, 1, 2}) {
			l.t.Errorf("after healing, %v came", got)
		}
		if got := receive(l.t, c, start, time.Second); len(got) > 0 {
			l.t.Errorf("over the other link, %v came", got)
		}
	})
}

func TestPacketsUnderWayAreBounded(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		a, b := l.socket(f), l.socket(l.at(bob))
		set(l.t, f, "latency 1h")
		send(l.t, a, b.LocalAddr(), maxDelayed+7, 8, 0)
		if got := f.List()[0].Links[0].Lost; got != 7 {
			l.t.Errorf("%d were lost", got)
		}
	})
}
