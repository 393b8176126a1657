package etcd_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// Replicas that all look for ended leases drop each once, and tell it once.
func TestLeasesAreSweptOnce(t *testing.T) {
	t.Parallel()
	const groups, peers = 10, 4
	cfg := etcd.Config{Endpoints: []string{startServer(t)}, CallTimeout: time.Minute} // who gets no answer cannot tell an equal change of another from its own
	events := eventLog{changed: make(chan struct{}, 1), revisions: make(map[string][]uint64)}
	var two [2]*bootstrap.Service
	for i := range two {
		two[i] = bootstrap.NewService(open(t, cfg), bootstrap.Options{SweepInterval: time.Millisecond, Emit: events.add})
		t.Cleanup(func() { _ = two[i].Close() })
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	set := &bootstrapv1.Config{MaxPeers: peers, Lease: durationpb.New(300 * time.Millisecond)}
	for g := range groups {
		group := fmt.Sprint("group", g)
		if _, err := two[0].UpdateConfig(ctx, &bootstrapv1.UpdateConfigRequest{Group: group, Config: set}); err != nil {
			t.Fatal(err)
		}
		for i := range peers {
			if _, err := two[i%2].Join(ctx, &bootstrapv1.JoinRequest{Group: group, Peer: storetest.Peer(i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, svc := range two {
		svc.Start()
	}
	watcher := open(t, cfg)
	final := make(map[string]uint64)
	for g := range groups {
		group := fmt.Sprint("group", g)
		for r, err := range watcher.Watch(ctx, group) {
			if err != nil {
				t.Fatalf("watch: %v", err)
			}
			if r.GetCount() == 0 && r.GetRevision() > 1 {
				final[group] = r.GetRevision()
				break
			}
		}
	}
	// A service that is closed while it makes a change tells nothing, so first all is to be told.
	events.wait(ctx, t, final)
	for _, svc := range two {
		_ = svc.Close()
	}
	for group, last := range final {
		got := events.of(group)
		for i, revision := range got {
			if revision != uint64(i)+1 {
				t.Errorf("%s: events of revisions %v, want each of 1 to %d once", group, got, last)
				break
			}
		}
	}
}

// eventLog keeps the revisions that roster events told.
type eventLog struct {
	changed chan struct{} // one more came

	mu        sync.Mutex
	revisions map[string][]uint64 // by group; guarded by mu
}

func (l *eventLog) add(e *eventv1.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := e.GetRoster()
	l.revisions[r.GetGroup()] = append(l.revisions[r.GetGroup()], r.GetRevision())
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// of are the revisions of a group in their order.
func (l *eventLog) of(group string) []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.revisions[group]))
}

// wait waits until there is an event for each revision of each group up to the last.
func (l *eventLog) wait(ctx context.Context, t *testing.T, last map[string]uint64) {
	t.Helper()
	missing := func() string {
		for group, n := range last {
			if got := l.of(group); uint64(len(slices.Compact(got))) < n {
				return fmt.Sprintf("%s: events of revisions %v, want 1 to %d", group, got, n)
			}
		}
		return ""
	}
	for missing() != "" {
		select {
		case <-l.changed:
		case <-ctx.Done():
			t.Fatal(missing())
		}
	}
}
