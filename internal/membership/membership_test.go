package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"peerlab.example/peerlab/app"
)

// memberlist (v0.7.0) does not wait for the probe that runs while it shuts down; that ends with its interval.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

func TestJoinAndLeave(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("alice", "bob", "carol")
		if err := p[2].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, other := range p[:2] {
			if err := other.sees(app.Left, "carol"); err != nil {
				t.Errorf("when Leave has returned: %v", err)
			}
		}
		_ = p[2].Close()
		<-time.After(time.Minute)
		if err := p[0].told("carol", "joined left"); err != nil {
			t.Error(err)
		}
	})
}

func TestKillIsALoss(t *testing.T) {
	t.Parallel()
	for _, profile := range Profiles() {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			inLab(t, profile, func(t *testing.T, l *lab) {
				p := l.group("alice", "bob", "carol", "dave")
				start := time.Now()
				p[3].kill()
				for _, other := range p[:3] {
					l.eventually(3*time.Minute, func() error { return other.sees(app.Lost, "dave") })
				}
				t.Logf("all knew after %s", time.Since(start))
				suspected := 0
				for _, other := range p[:3] {
					// One may hear that it is dead before it hears that it is suspect.
					switch got := other.events("dave"); got {
					case "joined suspected lost":
						suspected++
					case "joined lost":
					default:
						t.Errorf("%s was told of dave: %q", other.Self().Name, got)
					}
				}
				if suspected == 0 {
					t.Error("nobody suspected dave")
				}
			})
		})
	}
}

func TestLostAndLeftDiffer(t *testing.T) {
	t.Parallel()
	inLab(t, "fast", func(t *testing.T, l *lab) {
		p := l.group("alice", "bob", "carol", "dave", "erin")
		p[3].kill()
		if err := p[4].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = p[4].Close()
		for _, other := range p[:3] {
			l.eventually(time.Minute, func() error { return other.sees(app.Lost, "dave") })
			l.eventually(time.Minute, func() error { return other.sees(app.Left, "erin") })
		}
	})
}

// One that leaves while a member cannot hear it is told as left, and not lost, by those that meet again.
func TestAMissedGoodbyeIsStillAGoodbye(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("alice", "bob", "carol")
		// Only memberlist's own word says so.
		carol := nodeName("carol", p[2].cfg.ID)
		if err := p[2].running().Leave(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		l.eventually(time.Minute, func() error { return p[0].told("carol", "joined left") })
		if p[0].view.addrOf(carol) != "" {
			t.Error("carol is listed still")
		}
	})
}

func TestSuspicionIsToldAndRefuted(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "0123456789abcdef"} {
		t.Run("key "+key, func(t *testing.T) {
			t.Parallel()
			inLab(t, "lan", func(t *testing.T, l *lab) {
				encrypted := func(c *Config) { c.Key = []byte(key) }
				var p []*peer
				for _, name := range []string{"alice", "bob", "carol", "dave"} {
					p = append(p, l.start(name, encrypted))
					p[len(p)-1].join(p[0])
				}
				for _, x := range p {
					l.eventually(time.Minute, func() error { return x.sees(app.Alive, "alice", "bob", "carol", "dave") })
				}
				l.net.Partition([]string{p[3].ip})
				for _, x := range p[:3] {
					l.eventually(time.Minute, func() error { return x.sees(app.Suspect, "dave") })
				}
				l.net.Heal()
				for _, x := range p[:3] {
					l.eventually(time.Minute, func() error { return x.sees(app.Alive, "alice", "bob", "carol", "dave") })
					if err := x.told("dave", "joined suspected recovered"); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

func TestCloseEndsAJoin(t *testing.T) {
	t.Parallel()
	inLab(t, "wan", func(t *testing.T, l *lab) {
		a, b := l.start("alice"), l.start("bob")
		l.net.Partition([]string{a.ip})
		done := make(chan error, 1)
		go func() {
			_, err := b.Join(context.Background(), []string{a.Addr()})
			done <- err
		}()
		<-time.After(time.Second)
		start := time.Now()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err == nil || time.Since(start) > 100*time.Millisecond {
			t.Errorf("Join ended with %v, %s after Close", err, time.Since(start))
		}
	})
}

func TestJoinEndsWithItsContext(t *testing.T) {
	t.Parallel()
	inLab(t, "wan", func(t *testing.T, l *lab) {
		a, b := l.start("alice"), l.start("bob")
		l.net.Partition([]string{a.ip})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := b.Join(ctx, []string{a.Addr()}); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
	})
}

func TestGroupsDoNotMix(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		a := l.start("alice")
		b := l.start("bob", func(c *Config) { c.Group = "other" })
		if n, err := b.Join(t.Context(), []string{a.Addr()}); n != 0 || err == nil || !strings.Contains(err.Error(), "another group") {
			t.Errorf("joined %d, %v; want a refusal that names the reason", n, err)
		}
		<-time.After(time.Minute)
		if err := errors.Join(a.sees(app.Alive, "alice"), b.sees(app.Alive, "bob")); err != nil {
			t.Error(err)
		}
	})
}

func TestJoinWithoutAnswer(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		a, b := l.start("alice"), l.start("bob")
		l.net.Partition([]string{a.ip}, []string{b.ip})
		start := time.Now()
		n, err := b.Join(t.Context(), []string{a.Addr(), "10.0.0.77:1", a.Addr(), b.Addr()})
		if n != 0 || err == nil {
			t.Errorf("joined %d, %v", n, err)
		}
		if got := time.Since(start); got > 3*time.Second {
			t.Errorf("took %s, want about the dial timeout", got)
		}
		for _, addr := range []string{a.Addr(), "10.0.0.77:1"} {
			if !strings.Contains(err.Error(), addr) {
				t.Errorf("error %q does not name %s", err, addr)
			}
		}
		l.net.Heal()
		if n, err := b.Join(t.Context(), []string{"10.0.0.77:1", a.Addr()}); n != 1 || err != nil {
			t.Errorf("joined %d, %v; want 1 of 2", n, err)
		}
	})
}

func TestUpdateIsTold(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("alice", "bob")
		if err := p[1].SetMeta(t.Context(), "10.0.0.2:7000", []string{"chat"}); err != nil {
			t.Fatal(err)
		}
		l.eventually(10*time.Second, func() error { return p[0].told("bob", "joined updated") })
		m := p[0].Members()[1]
		if m.RPCAddr != "10.0.0.2:7000" || !m.Runs("chat") || m.Self {
			t.Errorf("got %+v", m)
		}
		if me := p[1].Self(); me.RPCAddr != "10.0.0.2:7000" || !me.Runs("chat") || !me.Self {
			t.Errorf("of itself: %+v", me)
		}
		l.eventually(time.Minute, func() error {
			if m := p[0].Members()[1]; m.RTT < 0 {
				return fmt.Errorf("rtt %s", m.RTT)
			}
			return nil
		})
		if err := p[1].SetMeta(t.Context(), "x:1", slices.Repeat([]string{strings.Repeat("long", 10)}, 20)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("got %v, want ErrTooLarge", err)
		}
		if err := p[1].SetMeta(t.Context(), "x:1", []string{"evil\x1b[2J"}); err == nil {
			t.Error("an application with control characters was announced")
		}
	})
}

func TestLifeCycleInOddOrder(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.prepare("alice")
		if p.Addr() == "" || p.Self().Addr != p.Addr() || len(p.Members()) != 1 {
			t.Errorf("after Listen: addr %q, self %+v", p.Addr(), p.Self())
		}
		if _, err := p.Join(t.Context(), []string{"10.0.0.1:1"}); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Join before Start: %v", err)
		}
		if err := p.Broadcast("chat", nil); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Broadcast before Start: %v", err)
		}
		if err := p.Leave(t.Context()); err != nil {
			t.Errorf("Leave before Start: %v", err)
		}
		for range 2 {
			if err := errors.Join(p.Listen(t.Context()), p.Start(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := p.Leave(t.Context()); err != nil {
				t.Error(err)
			}
		}
		for range 2 {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := p.Leave(t.Context()); err != nil {
			t.Errorf("Leave after Close: %v", err)
		}
		if err := p.Start(t.Context()); !errors.Is(err, ErrNotRunning) && err != nil {
			t.Errorf("Start after Close: %v", err)
		}
		unstarted := l.prepare("bob")
		if err := unstarted.Close(); err != nil {
			t.Error(err)
		}
		taken := l.prepare("carol")
		n, err := New(taken.cfg, l.net.Host(taken.ip), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		n.cfg.BindAddr = taken.Addr()
		if err := n.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), taken.Addr()) {
			t.Errorf("taken port: %v, want an error that names it", err)
		}
		_ = n.Close()
	})
}
