package network

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// conns is a connection from alice to bob, with faults of alice.
func (l *faultLab) conns(f *Faults) (near, far net.Conn) {
	l.t.Helper()
	ln, err := l.at(bob).Listen(l.t.Context(), RPC, ":0")
	if err != nil {
		l.t.Fatal(err)
	}
	if near, err = f.Dial(l.t.Context(), RPC, ln.Addr().String()); err != nil {
		l.t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _, _, _ = near.Close(), far.Close(), ln.Close() })
	return near, far
}

// noise is that many bytes that are nowhere alike.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

// passes writes data in pieces, closes, and checks what comes; it returns how long that took.
func passes(t *testing.T, from, to net.Conn, data []byte, piece int, each func(i int)) time.Duration {
	t.Helper()
	start := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; i*piece < len(data); i++ {
			if each != nil {
				each(i)
			}
			if _, err := from.Write(data[i*piece : min(len(data), (i+1)*piece)]); err != nil {
				t.Errorf("write: %v", err)
				break
			}
		}
		if err := from.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	got, err := io.ReadAll(to)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d of %d bytes came, in order: %v; %v", len(got), len(data), bytes.HasPrefix(data, got), err)
	}
	wg.Wait()
	return time.Since(start)
}

func TestStreamsLoseNothing(t *testing.T) {
	for _, rule := range []string{
		"latency 100ms±100ms", "loss 30%", "duplicate 50%", "reorder 50%", "bandwidth 100KB/s", "bandwidth 1GB/s",
		"partition for 7s", "loss 100% for 7s", "partition alice -> bob for 7s", "partition bob -> alice for 7s",
	} {
		for _, before := range []bool{true, false} {
			t.Run(rule, func(t *testing.T) {
				inFaultLab(t, func(l *faultLab) {
					f := l.at(alice)
					if before {
						set(l.t, f, rule)
					}
					near, far := l.conns(f)
					turn := func(i int) {
						if i == 10 && !before {
							set(l.t, f, rule)
						}
					}
					passes(l.t, near, far, noise(500_000), 7777, turn)
					near, far = l.conns(f)
					passes(l.t, far, near, noise(500_000), 7777, turn)
				})
			})
		}
	}
}

func TestStreamsLoseNothingWhileRulesChange(t *testing.T) {
	for _, outwards := range []bool{true, false} {
		t.Run("", func(t *testing.T) { testChangingRules(t, outwards) })
	}
}

func testChangingRules(t *testing.T, outwards bool) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		near, far := l.conns(f)
		if !outwards {
			near, far = far, near
		}
		r := rand.New(rand.NewPCG(3, 4))
		change := func(i int) {
			if i%20 == 0 {
				rule := anyRule(r)
				rule.Groups, rule.OneWay, rule.Channels, rule.For, rule.Except = nil, false, nil, time.Second, nil
				if _, err := f.Set(rule); err != nil {
					l.t.Error(err)
				}
				<-time.After(time.Duration(r.IntN(2000)) * time.Millisecond)
			}
			if i%70 == 0 {
				f.HealAll()
				<-time.After(time.Second)
			}
		}
		passes(l.t, near, far, noise(2_000_000), 4000, change)
	})
}

func TestAHealedStreamCostsNothing(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		near, far := l.conns(f)
		c, buf := near.(*faultConn), make([]byte, 4)
		for range 3 {
			set(l.t, f, "latency 1s")
			for _, slow := range []bool{true, false} {
				_, _ = near.Write([]byte("ping"))
				_, _ = io.ReadFull(far, buf)
				_, _ = far.Write([]byte("pong"))
				if _, err := io.ReadFull(near, buf); err != nil || c.reading.Load() != slow || c.writing.Load() != slow {
					l.t.Fatalf("%v; with faults %v, the lines are in use: %v, %v", err, slow, c.reading.Load(), c.writing.Load())
				}
				f.HealAll()
			}
			// Deadlines are those of the connection again.
			_ = near.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := near.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
				l.t.Error(err)
			}
			_ = near.SetReadDeadline(time.Time{})
		}
	})
}

func TestStreamLatency(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		set(l.t, f, "latency 100ms alice -> bob")
		set(l.t, f, "latency 30ms bob -> alice")
		start := time.Now()
		near, far := l.conns(f)
		if took := time.Since(start); took != 130*time.Millisecond {
			l.t.Errorf("dialling took %s", took)
		}
		// A round trip, and 2 MB in one go: latency is not paid for each piece.
		b := make([]byte, 4)
		start = time.Now()
		_, _ = near.Write([]byte("ping"))
		_, _ = io.ReadFull(far, b)
		there := time.Since(start)
		_, _ = far.Write([]byte("pong"))
		_, err := io.ReadFull(near, b)
		if there != 100*time.Millisecond || time.Since(start) != 130*time.Millisecond || err != nil {
			l.t.Errorf("%s there, %s in all, %v", there, time.Since(start), err)
		}
		if took := passes(l.t, near, far, noise(2_000_000), 1000, nil); took != 100*time.Millisecond {
			l.t.Errorf("2 MB took %s", took)
		}
	})
}

// TestAFormerRuleHoldsNothingUp changes rules while they hold something up, also without a pause in which there are none.
func TestAFormerRuleHoldsNothingUp(t *testing.T) {
	for _, former := range []string{"latency 1h", "loss 99.9%"} {
		for _, next := range []string{"", "latency 1s"} {
			for _, outwards := range []bool{true, false} {
				t.Run(former+" and then "+next, func(t *testing.T) { testFormerRule(t, former, next, outwards) })
			}
		}
	}
}

func testFormerRule(t *testing.T, former, next string, outwards bool) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		from, to := l.conns(f)
		if !outwards {
			from, to = to, from
		}
		// sent is how long something takes that is sent under some rules, which then change.
		sent := func(change func()) time.Duration {
			came := make(chan time.Time)
			go func() {
				_, err := io.ReadFull(to, make([]byte, 4))
				if err != nil {
					l.t.Error(err)
				}
				came <- time.Now()
			}()
			_, _ = from.Write([]byte("ping"))
			synctest.Wait()
			change()
			start := time.Now()
			return (<-came).Sub(start)
		}
		set(l.t, f, former)
		took := sent(func() {
			f.HealAll()
			if next != "" {
				set(l.t, f, next)
			}
		})
		if took != 0 {
			l.t.Errorf("what was under way came after another %s", took)
		}
		want := time.Duration(0)
		if next != "" {
			want = time.Second
		}
		if took := sent(func() {}); took != want {
			l.t.Errorf("what followed came after %s, want %s", took, want)
		}
	})
}

func TestStreamBandwidthIsThatOfTheLink(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		set(l.t, f, "bandwidth 100KB/s")
		set(l.t, f, "bandwidth 1MB/s")
		a1, b1 := l.conns(f)
		a2, b2 := l.conns(f)
		var wg sync.WaitGroup
		start := time.Now()
		wg.Go(func() { passes(l.t, a1, b1, noise(500_000), 1000, nil) })
		wg.Go(func() { passes(l.t, a2, b2, noise(500_000), 1000, nil) })
		wg.Wait()
		if took := time.Since(start); took < 9900*time.Millisecond || took > 10100*time.Millisecond {
			l.t.Errorf("1 MB at 100 KB/s took %s", took)
		}
	})
}

// What finds the link free is late by its own length, and is counted as what had to wait behind others.
func TestStreamBandwidthIsCounted(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		near, far := l.conns(f)
		set(l.t, f, "bandwidth 1KB/s alice | bob on rpc as slow")
		set(l.t, f, "bandwidth 1KB/s alice | carol on rpc as another")
		if took := passes(l.t, near, far, noise(1000), 1000, nil); took != time.Second {
			l.t.Errorf("1000 bytes at 1 KB/s took %s", took)
		}
		for _, s := range f.List() {
			switch {
			case s.Rule.ID == "another" && len(s.Links) == 0:
			case s.Rule.ID == "slow" && len(s.Links) == 1 && s.Links[0] == FaultHits{From: "alice", To: "bob", Hits: 1}:
			default:
				l.t.Errorf("counted of %s: %+v", s.Rule.ID, s.Links)
			}
		}
	})
}

func TestStreamLossIsLateness(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		near, far := l.conns(f)
		set(l.t, f, "loss 20%")
		late, buf := 0, make([]byte, 100)
		for range 1000 {
			start := time.Now()
			if _, err := near.Write(noise(100)); err != nil {
				l.t.Fatal(err)
			}
			if _, err := io.ReadFull(far, buf); err != nil {
				l.t.Fatal(err)
			}
			switch took := time.Since(start); {
			case took == 0:
			case took%resend == 0:
				late++
			default:
				l.t.Errorf("%s late", took)
			}
		}
		if late < 160 || late > 240 { // 200, with a standard deviation of 13
			l.t.Errorf("%d of 1000 were late", late)
		}
	})
}
