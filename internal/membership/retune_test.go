package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
)

func TestRetuneBeforeStartChangesAll(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.prepare("a")
		fast, _ := Profile("fast")
		if later, err := p.Retune(fast); err != nil || len(later) > 0 {
			t.Fatalf("needs restart %v, %v", later, err)
		}
		l.run(p)
		q := l.start("b")
		q.join(p)
		l.eventually(10*time.Second, func() error { return p.sees(app.Alive, "a", "b") })
		q.kill()
		l.eventually(3*time.Second, func() error { return p.sees(app.Lost, "b") }) // the lan profile takes longer
		if d := cmp.Diff(fast, p.Tuning()); d != "" {
			t.Errorf("tuning (-want +got):\n%s", d)
		}
	})
}

func TestRetuneWhileRunning(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("a", "b", "c")
		lan := p[0].Tuning()
		want := lan
		for _, set := range []string{
			"sync-interval=3s", "heal-interval=2s", "heal-max=9s", "keep-gone=20s", "dial-timeout=100ms",
			"suspicion-mult=1", "suspicion-max-mult=1", "gossip-nodes=5", "gossip-to-the-dead=5s",
		} {
			name, value, _ := strings.Cut(set, "=")
			if err := want.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		if got := want.Changed(lan); len(got) != len(LiveFields()) {
			t.Fatalf("changes %v of %v", got, LiveFields())
		}
		asked := want
		asked.ProbeInterval, asked.GossipInterval = 7*time.Second, time.Second
		later, err := p[0].Retune(asked)
		slices.Sort(later)
		if err != nil || !slices.Equal(later, []string{"gossip-interval", "probe-interval"}) {
			t.Errorf("needs restart: %v, %v", later, err)
		}
		if d := cmp.Diff(want, p[0].Tuning()); d != "" {
			t.Errorf("tuning (-want +got):\n%s", d)
		}
		if c := p[0].memberlistConf; c.SuspicionMult != 1 || c.SuspicionMaxTimeoutMult != 1 || c.GossipNodes != 5 || c.GossipToTheDeadTime != 5*time.Second {
			t.Errorf("memberlist has %+v", c)
		}
		// A suspect has a second now, and not 4 to 24; and it is forgotten after 20.
		p[2].kill()
		l.eventually(5*time.Second, func() error { return p[0].sees(app.Lost, "c") })
		l.eventually(30*time.Second, func() error { return p[0].sees(app.Lost) })
		asked.HealInterval = time.Hour
		if _, err := p[0].Retune(asked); err == nil || !strings.Contains(err.Error(), "heal-interval") {
			t.Errorf("got %v, want an error about heal-interval", err)
		}
	})
}

// Timings change while all of memberlist runs; this is for the race detector.
func TestRetuneAgainAndAgain(t *testing.T) {
	t.Parallel()
	l := newLab(t, "fast")
	p := l.group("a", "b", "c")
	fast := p[0].Tuning()
	for i := range 200 {
		next := fast
		next.SuspicionMult, next.SuspicionMaxMult, next.GossipNodes = 2+i%3, 1+i%4, 1+i%3
		next.GossipToTheDead, next.HealMax = time.Duration(1+i%5)*time.Second, time.Duration(3+i%2)*time.Second
		next.DialTimeout, next.KeepGone = time.Duration(100+i)*time.Millisecond, time.Duration(10+i)*time.Second
		if i == 100 {
			l.net.Partition([]string{p[2].ip})
		}
		if later, err := p[i%2].Retune(next); err != nil || len(later) > 0 {
			t.Fatal(later, err)
		}
		if i%10 == 0 {
			<-time.After(20 * time.Millisecond)
		}
	}
}

func TestLeaveSaysWhetherTheGoodbyeSpread(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("a", "b", "c")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := p[0].Leave(ctx); !errors.Is(err, ErrNotSpread) {
			t.Errorf("in a millisecond: %v", err)
		}
		if err := p[1].Leave(t.Context()); err != nil {
			t.Errorf("with time: %v", err)
		}
	})
}

func TestShutdownTransport(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"leave", "close"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			inLab(t, "lan", func(t *testing.T, l *lab) {
				p := l.group("a", "b", "c")
				if p[0].TransportDown() {
					t.Error("down before it was shut down")
				}
				if err := errors.Join(p[0].ShutdownTransport(), p[0].ShutdownTransport()); err != nil {
					t.Error(err)
				}
				l.eventually(time.Minute, func() error { return p[1].sees(app.Lost, "a") })
				l.eventually(3*time.Minute, func() error { return p[0].sees(app.Lost, "b", "c") })
				if err := p[0].Set("chat", "x", nil); err != nil {
					t.Errorf("a write of a node that is cut off: %v", err)
				}
				if end == "leave" {
					start := time.Now()
					if err := p[0].Leave(t.Context()); !errors.Is(err, ErrNotSpread) || time.Since(start) > 0 {
						t.Errorf("got %v after %s", err, time.Since(start))
					}
				}
				if err := p[0].Close(); err != nil {
					t.Error(err)
				}
				if !p[0].TransportDown() {
					t.Error("not down")
				}
			})
		})
	}
}

func TestAnnounceAgain(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("a", "b")
		for range 3 {
			if err := p[0].Announce(); err != nil {
				t.Error(err)
			}
		}
		l.eventually(5*time.Second, func() error {
			if got := p[1].events("a"); !strings.HasPrefix(got, "joined") || strings.Contains(got, "lost") {
				return fmt.Errorf("b was told %q", got)
			}
			return nil
		})
		if err := l.prepare("c").Announce(); !errors.Is(err, ErrNotRunning) {
			t.Errorf("before start: %v", err)
		}
	})
}
