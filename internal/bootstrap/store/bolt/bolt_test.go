package bolt_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/testing/protocmp"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/bolt"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

func open(t *testing.T, path string, maxGroups int) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path, maxGroups)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t,
		func(t *testing.T, maxGroups int) storetest.Closer {
			return open(t, filepath.Join(t.TempDir(), "roster.db"), maxGroups)
		},
		storetest.WithFaults(func(t *testing.T) (storetest.Closer, storetest.Faults) {
			d := newDisk()
			t.Cleanup(d.up) // before the store is closed, which waits for the disk
			// A disk that is stuck for this long is so for longer than a second, which Healthy looks for.
			s, err := bolt.OpenHeld(filepath.Join(t.TempDir(), "roster.db"), 0, 1500*time.Millisecond, d.hold)
			if err != nil {
				t.Fatal(err)
			}
			return s, storetest.Faults{Down: d.down, Slow: d.slow, Up: d.up, Reads: true}
		}),
	)
}

func joinPeer(i int) bootstrap.Change {
	return func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
		return bootstrap.Join(r, storetest.Peer(i), time.Now())
	}
}

func mustUpdate(t *testing.T, s *bolt.Store, group string, change bootstrap.Change) *bootstrapv1.Roster {
	t.Helper()
	_, r, err := s.Update(t.Context(), group, change)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReopen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "made", "on", "demand", "roster.db")
	s := open(t, path, 2)
	want := mustUpdate(t, s, "a", joinPeer(1))
	mustUpdate(t, s, "b", joinPeer(2))
	mustUpdate(t, s, "b", bootstrap.Reset)
	mustUpdate(t, s, "c", joinPeer(3)) // b is forgotten
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, 2)
	got, err := s.Load(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("roster (-want +got):\n%s", diff)
	}
	if b, err := s.Load(t.Context(), "b"); err != nil || b.GetRevision() != 2 || b.GetCount() != 0 {
		t.Errorf("a forgotten group after reopening: %v, %v; want revision 2", b, err)
	}
	if names, err := s.Groups(t.Context()); err != nil || len(names) != 2 {
		t.Errorf("groups: %v, %v", names, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	held := filepath.Join(dir, "held.db")
	open(t, held, 0)
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	put := func(name, bucket, key, value string) string {
		path := filepath.Join(dir, name)
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
		if err == nil {
			err = errors.Join(db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucketIfNotExists([]byte(bucket))
				return errors.Join(err, b.Put([]byte(key), []byte(value)))
			}), db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct{ name, path, want string }{
		{"second opener", held, "another process has it open"},
		{"no database", garbage, "invalid database"},
		{"later format", put("later.db", "meta", "format", "2"), `it has format "2", and this version knows 1`},
		{"broken roster", put("broken.db", "rosters", "lab", "\xff"), `roster of group "lab"`},
		{"moved roster", put("moved.db", "rosters", "lab", ""), `roster of group "lab": it is that of ""`},
		{"a folder", dir, "is a directory"},
		{"under a file", filepath.Join(garbage, "x.db"), "not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := bolt.Open(tt.path, 0)
			if err == nil {
				_ = s.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path) {
				t.Errorf("error %q, want one with %q and %q", err, tt.want, tt.path)
			}
		})
	}
}

// Swaps from one revision that wait for the same transaction: exactly one may win.
func TestConflictInsideABatch(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "roster.db"), 0)
	for round := range 20 {
		before, err := s.Load(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 16 {
			wg.Go(func() {
				after := bootstrap.Join(bootstrap.Reset(before), storetest.Peer(i), time.Now())
				after.Revision = before.GetRevision() + 1
				err := s.CompareAndSwap(t.Context(), "a", before.GetRevision(), after)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if !errors.Is(err, bootstrap.ErrConflict) {
					t.Errorf("swap: %v", err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Fatalf("round %d: %d of 16 swaps from one revision won", round, won)
		}
	}
}

// All changes that come while one is on its way to the disk share the next transaction.
func TestChangesShareATransaction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "roster.db"), 0)
		slow := make(chan struct{})
		var wg sync.WaitGroup
		update := func(change bootstrap.Change) {
			wg.Go(func() {
				if _, _, err := s.Update(t.Context(), "a", change); err != nil {
					t.Errorf("update: %v", err)
				}
			})
			synctest.Wait()
		}
		update(func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
			<-slow // stands for a disk that takes its time
			return bootstrap.UpdateConfig(r, &bootstrapv1.Config{MaxPeers: 100}, time.Now())
		})
		for i := range 64 {
			update(joinPeer(i))
		}
		close(slow)
		wg.Wait()
		if r, err := s.Load(t.Context(), "a"); err != nil || r.GetCount() != 64 || s.Commits() != 2 {
			t.Errorf("%d peers in %d transactions, %v; want 64 in 2", r.GetCount(), s.Commits(), err)
		}
	})
}

// Close while many write: each caller gets an answer, and each success is in the file.
func TestCloseUnderLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "roster.db")
	s := open(t, path, 0)
	mustUpdate(t, s, "a", func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
		return bootstrap.UpdateConfig(r, &bootstrapv1.Config{MaxPeers: bootstrap.MaxPeers}, time.Now())
	})
	var wg sync.WaitGroup
	done := make([]int, 8)
	started := make(chan struct{}, len(done))
	for w := range done {
		wg.Go(func() {
			for i := range 100 {
				_, _, err := s.Update(context.Background(), "a", joinPeer(w*100+i))
				if errors.Is(err, bootstrap.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("update: %v", err)
					return
				}
				done[w]++
				if i == 0 {
					started <- struct{}{}
				}
			}
		})
	}
	for range done {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	r, err := open(t, path, 0).Load(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for w, n := range done {
		for i := range n {
			if !bootstrap.Held(r, storetest.Peer(w*100+i).GetId()) {
				t.Errorf("acknowledged peer %d is not in the file", w*100+i)
			}
		}
	}
}
