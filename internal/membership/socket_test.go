package membership

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/network"
)

// TestOnRealSockets runs a group on loopback, with encryption: join, announce, broadcast, leave,
// crash and restart.
func TestOnRealSockets(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l := &lab{t: t}
	var mu sync.Mutex
	heard := 0
	start := func(name, id, join string) *Node {
		t.Helper()
		cfg := DefaultConfig()
		cfg.ID, cfg.Name, cfg.Group, cfg.Key = id+"000000000", name, "sockets", make([]byte, 32)
		cfg.Tuning, _ = Profile("fast")
		cfg.OnBroadcast = func(string, app.Member, []byte) {
			mu.Lock()
			heard++
			mu.Unlock()
		}
		n, err := New(cfg, network.System(), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		if err := n.Listen(ctx); err != nil {
			t.Fatal(err)
		}
		if err := n.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if join != "" {
			if joined, err := n.Join(ctx, []string{join}); err != nil || joined != 1 {
				t.Fatalf("joined %d, %v", joined, err)
			}
		}
		return n
	}
	has := func(n *Node, state app.State, name, apps string) func() error {
		return func() error {
			for _, m := range n.Members() {
				if m.Name == name && m.State == state && fmt.Sprint(m.Apps) == apps {
					return nil
				}
			}
			return fmt.Errorf("no %s %s with %s in %+v", state, name, apps, n.Members())
		}
	}
	a := start("alice", "1", "")
	b := start("bob", "2", a.Addr())
	c := start("carol", "3", a.Addr())
	if err := c.SetMeta(ctx, "127.0.0.1:1", []string{"chat"}); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*Node{a, b, c} {
		l.eventually(20*time.Second, has(n, app.Alive, "carol", "[chat]"))
		l.eventually(20*time.Second, has(n, app.Alive, "bob", "[]"))
	}
	if err := b.Broadcast("chat", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	l.eventually(20*time.Second, func() error {
		mu.Lock()
		defer mu.Unlock()
		if heard != 2 {
			return fmt.Errorf("%d heard it, want 2", heard)
		}
		return nil
	})
	if err := b.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	l.eventually(20*time.Second, has(a, app.Left, "bob", "[]"))
	_ = c.Close() // a crash, as the others see it
	again := start("carol", "4", a.Addr())
	if err := again.SetMeta(ctx, "127.0.0.1:2", nil); err != nil {
		t.Fatal(err)
	}
	l.eventually(20*time.Second, has(a, app.Alive, "carol", "[]"))
	_ = again.Close()
	l.eventually(20*time.Second, has(a, app.Lost, "carol", "[]"))
	if a.HealthScore() < 0 || a.Tuning().ProbeInterval != 200*time.Millisecond {
		t.Error("health or tuning are odd")
	}
}
