package etcd_test

import (
	"context"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// wantNoTurns looks for keys of turns that nobody ended.
func wantNoTurns(t *testing.T, c *clientv3.Client) {
	t.Helper()
	resp, err := c.Get(t.Context(), "peerlab/turns/", clientv3.WithPrefix())
	if err != nil || resp.Count != 0 {
		t.Errorf("%d turns are left, %v", resp.Count, err)
	}
}

// A replica that takes long for each change makes some, although a fast one never stops to change the group.
func TestSlowReplicaGetsItsTurn(t *testing.T) {
	t.Parallel()
	addr := startServer(t)
	cfg := etcd.Config{Endpoints: []string{addr}, CallTimeout: 20 * time.Second}
	slow, fast := open(t, cfg), open(t, cfg)
	mustUpdate(t, slow, "a", resize(1000))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := uint32(0); ctx.Err() == nil; i++ {
				if _, _, err := fast.Update(context.WithoutCancel(ctx), "a", resize(500+i%100)); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	for i := range 5 {
		mustUpdate(t, slow, "a", func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
			for begin := time.Now(); time.Since(begin) < 20*time.Millisecond; { // stands for a large roster
			}
			return joinPeer(i)(r)
		})
	}
	cancel()
	wg.Wait()
	r, err := slow.Load(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if !bootstrap.Held(r, storetest.Peer(i).GetId()) {
			t.Errorf("peer %d is lost", i)
		}
	}
	if slow.Conflicts() == 0 {
		t.Error("the slow replica lost no race")
	}
	wantNoTurns(t, dialEtcd(t, addr))
}

// A replica that died in its turn does not keep others from the group.
func TestAbandonedTurn(t *testing.T) {
	t.Parallel()
	addr := startServer(t)
	c := dialEtcd(t, addr)
	s := open(t, etcd.Config{Endpoints: []string{addr}})
	mustUpdate(t, s, "a", resize(10))
	for i, group := range []string{"a", "new"} {
		if _, err := c.Put(t.Context(), "peerlab/turns/"+group, "a replica that died"); err != nil {
			t.Fatal(err)
		}
		if r := mustUpdate(t, s, group, joinPeer(i)); !bootstrap.Held(r, storetest.Peer(i).GetId()) {
			t.Errorf("group %s: %v", group, r)
		}
	}
	wantNoTurns(t, c)
}
