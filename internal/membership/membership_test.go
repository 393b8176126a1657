package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/network"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a group of nodes on an in-memory network. Its waits are virtual inside a bubble of synctest.
type lab struct {
	t       testing.TB
	net     *network.Memory
	profile string
	next    int
}

// peer is a node with what it was told.
type peer struct {
	*Node
	lab *lab
	ip  string

	mu    sync.Mutex
	saw   []string // guarded by mu; "change name"
	heard []string // guarded by mu; "app name payload"
}

func newLab(t testing.TB, profile string) *lab {
	return &lab{t: t, net: network.NewMemory(), profile: profile}
}

// prepare makes a node that listens, at an IP of its own.
func (l *lab) prepare(name string, change ...func(*Config)) *peer {
	l.t.Helper()
	l.next++
	p := &peer{lab: l, ip: fmt.Sprintf("10.0.%d.%d", l.next/250, l.next%250+1)}
	cfg := DefaultConfig()
	cfg.ID = fmt.Sprintf("%08x-test", l.next)
	cfg.Name = name
	cfg.BindAddr = p.ip + ":0"
	cfg.Tuning, _ = Profile(l.profile)
	cfg.OnEvent = func(e app.MemberEvent) {
		p.mu.Lock()
		p.saw = append(p.saw, string(e.Change)+" "+e.Member.Name)
		p.mu.Unlock()
	}
	cfg.OnBroadcast = func(application string, from app.Member, payload []byte) {
		p.mu.Lock()
		p.heard = append(p.heard, application+" "+from.Name+" "+string(payload))
		p.mu.Unlock()
	}
	for _, f := range change {
		f(&cfg)
	}
	n, err := New(cfg, l.net.Host(p.ip), zerolog.Nop())
	if err != nil {
		l.t.Fatal(err)
	}
	p.Node = n
	l.t.Cleanup(func() { _ = n.Close() })
	if err := n.Listen(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	return p
}

func (l *lab) start(name string, change ...func(*Config)) *peer {
	l.t.Helper()
	p := l.prepare(name, change...)
	if err := p.Start(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	return p
}

// group starts nodes under these names; all join the first.
func (l *lab) group(names ...string) []*peer {
	l.t.Helper()
	var peers []*peer
	for _, name := range names {
		p := l.start(name)
		peers = append(peers, p)
		p.join(peers[0])
	}
	for _, p := range peers {
		l.eventually(30*time.Second, func() error { return p.sees(app.Alive, names...) })
	}
	return peers
}

func (p *peer) join(at *peer) {
	p.lab.t.Helper()
	if _, err := p.Join(context.Background(), []string{at.Addr()}); err != nil {
		p.lab.t.Fatal(err)
	}
}

// kill ends the peer as a crash does.
func (p *peer) kill() {
	p.lab.net.Kill(p.ip)
	_ = p.Close()
}

// eventually waits until check is content, and ends early then.
func (l *lab) eventually(limit time.Duration, check func() error) {
	l.t.Helper()
	end := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			l.t.Fatalf("after %s: %v", limit, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// sees checks that the members in that state are exactly those.
func (p *peer) sees(s app.State, names ...string) error {
	var got []string
	for _, m := range p.Members() {
		if m.State == s {
			got = append(got, m.Name)
		}
	}
	want := slices.Clone(names)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s sees %s %v, want %v", p.Self().Name, s, got, want)
	}
	return nil
}

// events are what the peer was told of that member, in order.
func (p *peer) events(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, s := range p.saw {
		if change, ok := strings.CutSuffix(s, " "+name); ok {
			out = append(out, change)
		}
	}
	return strings.Join(out, " ")
}

func (p *peer) told(name, want string) error {
	if got := p.events(name); got != want {
		return fmt.Errorf("%s was told of %s: %q, want %q", p.Self().Name, name, got, want)
	}
	return nil
}

// inLab runs f in virtual time.
func inLab(t *testing.T, profile string, f func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		// Cleanups run in reverse order: memberlist's last probes end after their nodes are closed.
		t.Cleanup(func() { <-time.After(time.Minute) })
		f(t, newLab(t, profile))
	})
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

func TestRestartUnderTheSameName(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("alice", "bob", "carol")
		p[2].kill()
		again := l.start("carol")
		start := time.Now()
		again.join(p[0])
		if err := again.SetMeta(t.Context(), "10.9.9.9:1", nil); err != nil {
			t.Fatal(err)
		}
		for _, x := range append(p[:2:2], again) {
			l.eventually(3*time.Second, func() error {
				for _, m := range x.Members() {
					if m.Name == "carol" && m.ID != again.cfg.ID {
						return fmt.Errorf("%s lists the old carol: %+v", x.Self().Name, m)
					}
				}
				return x.sees(app.Alive, "alice", "bob", "carol")
			})
		}
		t.Logf("accepted by all after %s", time.Since(start))
		<-time.After(2 * time.Minute)
		for _, x := range p[:2] {
			// The order of the loss of the old one and the arrival of the new one is that of gossip.
			if got := x.events("carol"); got != "joined lost joined updated" && got != "joined lost joined" && got != "joined joined lost" {
				t.Errorf("%s was told of carol: %q", x.Self().Name, got)
			}
		}
	})
}

func TestNameTaken(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("alice", "bob", "carol")
		second := l.start("carol")
		_, err := second.Join(t.Context(), []string{p[0].Addr()})
		want := fmt.Sprintf("name %q is taken by a live member at %s", "carol", p[2].Addr())
		if !errors.Is(err, ErrNameTaken) || err.Error() != want {
			t.Fatalf("got %v, want %s", err, want)
		}
		if err := second.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		_ = second.Close()
		<-time.After(2 * time.Minute)
		for i, x := range p {
			// The others knew carol before, and heard nothing of the second one.
			if err := x.told("carol", []string{"joined", "joined", ""}[i]); err != nil {
				t.Error(err)
			}
			if err := x.sees(app.Alive, "alice", "bob", "carol"); err != nil {
				t.Error(err)
			}
		}
	})
}

// Of two that start at the same moment under one name, the older stays, whether they meet in
// Join or later.
func TestNameTakenAtTheSameMoment(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		seed := l.start("seed")
		refused := make(chan string, 4)
		twin := func(which string) *peer {
			return l.start("twin", func(c *Config) {
				c.OnNameTaken = func(err error) {
					if !errors.Is(err, ErrNameTaken) {
						t.Error(err)
					}
					refused <- which
				}
			})
		}
		a := twin("a")
		<-time.After(time.Millisecond)
		b := twin("b")
		for which, x := range map[string]*peer{"a": a, "b": b} {
			go func() {
				if _, err := x.Join(t.Context(), []string{seed.Addr()}); errors.Is(err, ErrNameTaken) {
					refused <- which
				} else if err != nil {
					t.Error(err)
				}
			}()
		}
		select {
		case which := <-refused:
			if which != "b" {
				t.Errorf("%s was refused, want b, the younger", which)
			}
		case <-time.After(5 * time.Second):
			t.Error("nobody was refused")
		}
		<-time.After(time.Minute)
		if len(refused) > 0 {
			t.Errorf("%s was refused too", <-refused)
		}
	})
}

// Two that took the same name on both sides of a split meet when it heals: the younger is told.
func TestNamesakesMeetAfterASplit(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("alice", "bob")
		// The peers to come have the next two addresses.
		l.net.Partition([]string{p[0].ip, "10.0.0.4"}, []string{p[1].ip, "10.0.0.5"})
		refused := make(chan string, 4)
		twin := func(which string, at *peer) *peer {
			x := l.start("twin", func(c *Config) { c.OnNameTaken = func(error) { refused <- which } })
			x.join(at)
			if err := x.SetMeta(t.Context(), "10.0.0.9:1", nil); err != nil {
				t.Fatal(err)
			}
			return x
		}
		twin("older", p[0])
		<-time.After(time.Minute)
		twin("younger", p[1])
		<-time.After(time.Minute)
		l.net.Heal()
		select {
		case which := <-refused:
			if which != "younger" {
				t.Errorf("the %s was told", which)
			}
		case <-time.After(20 * time.Second):
			t.Error("nobody was told")
		}
		<-time.After(time.Minute)
		if len(refused) > 0 {
			t.Errorf("the %s was told too", <-refused)
		}
	})
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

// One that was cut off from many, and half that was from half, for longer than memberlist remembers.
func TestLargeSplitsHeal(t *testing.T) {
	t.Parallel()
	for _, cut := range []int{1, 25} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			inLab(t, "lan", func(t *testing.T, l *lab) {
				p := l.many(50)
				l.eventually(time.Minute, func() error { return allSee(p) })
				var side []string
				for _, x := range p[:cut] {
					side = append(side, x.ip)
				}
				l.net.Partition(side)
				<-time.After(5 * time.Minute)
				// The one alone doubts itself, and probes too seldom to have lost all others by now.
				if got := p[49].alive(); got != 50-cut {
					t.Errorf("sees %d on its side of the cut, want %d", got, 50-cut)
				}
				l.net.Heal()
				start := time.Now()
				l.eventually(20*time.Second, func() error { return allSee(p) })
				heals := uint64(0)
				for _, x := range p {
					heals += x.Stats().Heals
				}
				t.Logf("healed after %s; %d attempts in five minutes", time.Since(start), heals)
			})
		})
	}
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

func TestSeedsAreTriedUntilTheyAnswer(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		a := l.start("alice")
		b := l.start("bob", func(c *Config) { c.Seeds = func() []string { return []string{a.Addr()} } })
		l.net.Partition([]string{a.ip}, []string{b.ip})
		if _, err := b.Join(t.Context(), []string{a.Addr()}); err == nil {
			t.Fatal("joined across a cut")
		}
		<-time.After(time.Minute)
		l.net.Heal()
		l.eventually(10*time.Second, func() error { return b.sees(app.Alive, "alice", "bob") })
	})
}

func TestSplitHeals(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"lan", "local", "fast"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			inLab(t, profile, func(t *testing.T, l *lab) {
				names := []string{"a", "b", "c", "x", "y", "z"}
				p := l.group(names...)
				var left, right []string
				for i, x := range p {
					if i < 3 {
						left = append(left, x.ip)
					} else {
						right = append(right, x.ip)
					}
				}
				l.net.Partition(left, right)
				start := time.Now()
				for i, x := range p {
					own := names[i/3*3 : i/3*3+3]
					l.eventually(3*time.Minute, func() error { return x.sees(app.Alive, own...) })
				}
				split := time.Since(start)
				<-time.After(time.Minute - min(split, time.Minute))
				l.net.Heal()
				start = time.Now()
				for _, x := range p {
					l.eventually(10*time.Second, func() error { return x.sees(app.Alive, names...) })
				}
				t.Logf("split seen after %s, healed after %s", split, time.Since(start))
				if got := strings.ReplaceAll(p[0].events("x"), "suspected lost", "lost"); !strings.HasPrefix(got, "joined lost recovered") {
					t.Errorf("events of x: %q", got)
				}
			})
		})
	}
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
