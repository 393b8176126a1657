package etcd_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

// Close while many write and watch: each caller gets an answer, and each success is in etcd.
func TestCloseUnderLoad(t *testing.T) {
	t.Parallel()
	cfg := etcd.Config{Endpoints: []string{startServer(t)}}
	s, other := open(t, cfg), open(t, cfg)
	mustUpdate(t, other, "a", resize(bootstrap.MaxPeers))
	const writers, changes = 8, 100
	var done [writers]int
	var wg, started sync.WaitGroup
	started.Add(writers)
	for w := range writers {
		wg.Go(func() {
			for _, err := range s.Watch(context.Background(), "a") {
				if err != nil && !errors.Is(err, bootstrap.ErrClosed) {
					t.Errorf("watch: %v", err)
				}
			}
		})
		wg.Go(func() {
			once := sync.OnceFunc(started.Done)
			defer once()
			for i := range changes {
				_, _, err := s.Update(context.Background(), "a", joinPeer(w*changes+i))
				if errors.Is(err, bootstrap.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("update: %v", err)
					return
				}
				done[w]++
				once()
			}
		})
	}
	started.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	r, err := other.Load(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for w, n := range done {
		for i := range n {
			if !bootstrap.Held(r, storetest.Peer(w*changes+i).GetId()) {
				t.Errorf("acknowledged peer %d is not in etcd", w*changes+i)
			}
		}
	}
}
