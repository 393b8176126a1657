package etcd_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// A change that is none to what this replica saw last is one to what another has made of it.
func TestUpdateFromAnOldGuess(t *testing.T) {
	t.Parallel()
	cfg := etcd.Config{Endpoints: []string{startServer(t)}}
	s, other := open(t, cfg), open(t, cfg)
	now := time.Now()
	join := func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return bootstrap.Join(r, storetest.Peer(1), now) }
	mustUpdate(t, s, "a", join)
	mustUpdate(t, other, "a", bootstrap.Reset)
	if r := mustUpdate(t, s, "a", join); r.GetRevision() != 3 || r.GetCount() != 1 {
		t.Errorf("%d peers at revision %d, want 1 at 3", r.GetCount(), r.GetRevision())
	}
	mustUpdate(t, other, "a", bootstrap.Reset)
	if r := mustUpdate(t, s, "a", bootstrap.Reset); r.GetRevision() != 4 {
		t.Errorf("a change that is none: revision %d, want 4", r.GetRevision())
	}
}

// create makes groups through two replicas at once, and returns how many were refused.
func create(t *testing.T, cfg etcd.Config, n int, change bootstrap.Change) (refused int) {
	t.Helper()
	replicas := []*etcd.Store{open(t, cfg), open(t, cfg)}
	var count atomic.Int64
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, _, err := replicas[i%2].Update(t.Context(), fmt.Sprint("group", i), change)
			if errors.Is(err, bootstrap.ErrTooManyGroups) {
				count.Add(1)
			} else if err != nil {
				t.Errorf("group %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	return int(count.Load())
}

// Replicas that create groups at once keep the limit together.
func TestReplicasKeepTheLimitOfGroups(t *testing.T) {
	t.Parallel()
	const limit, groups = 5, 24
	cfg := etcd.Config{Endpoints: []string{startServer(t)}, MaxGroups: limit, CallTimeout: 20 * time.Second}
	if n := create(t, cfg, groups, joinPeer(1)); n != groups-limit {
		t.Errorf("%d groups were refused, want %d", n, groups-limit)
	}
	names, err := open(t, cfg).Groups(t.Context())
	if err != nil || len(names) != limit {
		t.Errorf("%d groups, %v; want %d", len(names), err, limit)
	}
}

// Replicas that forget groups at once forget as many as they must, and the list of groups without peers
// is right.
func TestReplicasForgetTogether(t *testing.T) {
	t.Parallel()
	const limit, groups = 5, 24
	addr := startServer(t)
	cfg := etcd.Config{Endpoints: []string{addr}, MaxGroups: limit, CallTimeout: 20 * time.Second}
	if n := create(t, cfg, groups, resize(10)); n != 0 {
		t.Errorf("%d groups were refused while others had no peers", n)
	}
	s := open(t, cfg)
	names, err := s.Groups(t.Context())
	if err != nil || len(names) != limit {
		t.Fatalf("%d groups, %v; want %d", len(names), err, limit)
	}
	c := dialEtcd(t, addr)
	wantEmpty := func(n int64) {
		t.Helper()
		resp, err := c.Get(t.Context(), "peerlab/empty/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil || resp.Count != n {
			t.Errorf("%d groups are listed as without peers, %v; want %d", resp.Count, err, n)
		}
	}
	wantEmpty(limit)
	mustUpdate(t, s, names[0], joinPeer(1))
	wantEmpty(limit - 1)
	mustUpdate(t, s, names[0], bootstrap.Reset)
	wantEmpty(limit)
}
