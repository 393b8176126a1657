package membership

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/network"
)

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
	next := l.next + 1
	return l.prepareAt(fmt.Sprintf("10.0.%d.%d", next/250, next%250+1), name, change...)
}

func (l *lab) prepareAt(ip, name string, change ...func(*Config)) *peer {
	l.t.Helper()
	l.next++
	p := &peer{lab: l, ip: ip}
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
	return l.run(l.prepare(name, change...))
}

func (l *lab) startAt(ip, name string, change ...func(*Config)) *peer {
	l.t.Helper()
	return l.run(l.prepareAt(ip, name, change...))
}

func (l *lab) run(p *peer) *peer {
	l.t.Helper()
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
