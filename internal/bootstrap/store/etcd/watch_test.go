package etcd_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// watchCounter counts the watches that a client asks etcd for, and those it gives up.
type watchCounter struct{ created, canceled atomic.Int64 }

func (c *watchCounter) intercept(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, conn, method, opts...)
	return countedStream{stream, c}, err
}

type countedStream struct {
	grpc.ClientStream
	counter *watchCounter
}

func (s countedStream) SendMsg(m any) error {
	if req, ok := m.(*etcdserverpb.WatchRequest); ok {
		switch {
		case req.GetCreateRequest() != nil:
			s.counter.created.Add(1)
		case req.GetCancelRequest() != nil:
			s.counter.canceled.Add(1)
		}
	}
	return s.ClientStream.SendMsg(m)
}

// A thousand watchers of a group are one watch of etcd, and all see each change in the end.
func TestWatchersShareAWatch(t *testing.T) {
	t.Parallel()
	const watchers, groups = 1000, 3
	addr := startServer(t)
	var counter watchCounter
	cfg := etcd.Config{Endpoints: []string{addr}}
	s, err := etcd.OpenWith(t.Context(), cfg, grpc.WithChainStreamInterceptor(counter.intercept))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	other := open(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg, began sync.WaitGroup
	began.Add(watchers)
	for i := range watchers {
		wg.Go(func() {
			once := sync.OnceFunc(began.Done)
			defer once()
			for r, err := range s.Watch(ctx, fmt.Sprint("group", i%groups)) {
				if err != nil {
					t.Errorf("watch: %v", err)
					return
				}
				once()
				if r.GetRevision() == 5 {
					return
				}
			}
		})
	}
	began.Wait()
	for places := range uint32(5) {
		for g := range groups {
			mustUpdate(t, other, fmt.Sprint("group", g), resize(10+places))
		}
	}
	wg.Wait()
	if n := counter.created.Load(); n != groups {
		t.Errorf("%d watches of etcd for %d watchers of %d groups", n, watchers, groups)
	}
	if n := s.Feeds(); n != 0 {
		t.Errorf("%d groups are watched when nobody does", n)
	}
}

// follower reads a watch, each time within a time that no machine needs.
type follower struct {
	t    *testing.T
	next func() (*bootstrapv1.Roster, error, bool)
}

func follow(t *testing.T, s *etcd.Store, group string) follower {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	next, stop := iter.Pull2(s.Watch(ctx, group))
	t.Cleanup(func() {
		cancel()
		stop()
	})
	return follower{t, next}
}

// until returns the first roster of at least that revision.
func (f follower) until(revision uint64) *bootstrapv1.Roster {
	f.t.Helper()
	for {
		r, err, _ := f.next()
		if err != nil {
			f.t.Fatalf("watch, waiting for revision %d: %v", revision, err)
		}
		if r.GetRevision() >= revision {
			return r
		}
	}
}

// While a store is cut off, the group changes and etcd forgets how. The watch goes on with the newest.
func TestWatchGoesOnAfterCompaction(t *testing.T) {
	t.Parallel()
	addr := startServer(t)
	proxy := storetest.NewProxy(t, addr)
	s := open(t, etcd.Config{Endpoints: []string{proxy.Addr()}, CallTimeout: time.Second})
	other := open(t, etcd.Config{Endpoints: []string{addr}})
	mustUpdate(t, other, "a", resize(10))
	w := follow(t, s, "a")
	w.until(1)
	proxy.Down()
	for places := range uint32(20) {
		mustUpdate(t, other, "a", resize(20+places))
	}
	c := dialEtcd(t, addr)
	resp, err := c.Get(t.Context(), "peerlab/meta")
	if err == nil {
		_, err = c.Compact(t.Context(), resp.Header.Revision)
	}
	if err != nil {
		t.Fatal(err)
	}
	proxy.Up()
	if r := w.until(21); r.GetConfig().GetMaxPeers() != 39 {
		t.Errorf("%d places, want 39", r.GetConfig().GetMaxPeers())
	}
	mustUpdate(t, other, "a", resize(100))
	w.until(22)
}

// A watch that begins while etcd does not answer waits for it.
func TestWatchBeginsWhileDown(t *testing.T) {
	t.Parallel()
	addr := startServer(t)
	proxy := storetest.NewProxy(t, addr)
	s := open(t, etcd.Config{Endpoints: []string{proxy.Addr()}, CallTimeout: time.Second})
	proxy.Down()
	up := make(chan struct{})
	go func() {
		defer close(up)
		if _, err := s.Load(t.Context(), "a"); err == nil {
			t.Error("a store that is down answers")
		}
		proxy.Up()
	}()
	w := follow(t, s, "a")
	w.until(0)
	<-up
	mustUpdate(t, s, "a", resize(10))
	w.until(1)
}

// A group that is forgotten and comes again is still the same to who watches it.
func TestWatchSeesForgottenGroupAgain(t *testing.T) {
	t.Parallel()
	cfg := etcd.Config{Endpoints: []string{startServer(t)}, MaxGroups: 1}
	s, other := open(t, cfg), open(t, cfg)
	mustUpdate(t, s, "a", resize(10))
	w := follow(t, other, "a")
	w.until(1)
	mustUpdate(t, s, "b", resize(10)) // a is forgotten
	mustUpdate(t, s, "a", resize(10)) // b is forgotten
	again := mustUpdate(t, s, "a", resize(11))
	if r := w.until(again.GetRevision()); r.GetConfig().GetMaxPeers() != 11 {
		t.Errorf("%d places, want 11", r.GetConfig().GetMaxPeers())
	}
}
