package bolt

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// A transaction that fails has not happened for anybody, and the store says that it is not
// well until it can write again.
func TestFailedTransaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(filepath.Join(dir, "roster.db"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	broken, err := bbolt.Open(filepath.Join(dir, "broken.db"), 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := broken.Close(); err != nil {
		t.Fatal(err)
	}
	resize := func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
		return bootstrap.UpdateConfig(r, &bootstrapv1.Config{MaxPeers: r.GetConfig().GetMaxPeers() + 9}, time.Now())
	}
	good := s.file.db
	s.file.db = broken
	if _, _, err := s.Update(t.Context(), "a", resize); !errors.Is(err, bbolterrors.ErrDatabaseNotOpen) {
		t.Errorf("update: %v", err)
	}
	if r, err := s.Load(t.Context(), "a"); err != nil || r.GetRevision() != 0 {
		t.Errorf("after a failed change: %v, %v", r, err)
	}
	// Of two that come together, the second finds the change of the first, which does not happen either.
	together := []*request{
		{group: "a", change: func(r *bootstrapv1.Roster) (*bootstrapv1.Roster, error) { return resize(r), nil }},
		{group: "a", change: func(r *bootstrapv1.Roster) (*bootstrapv1.Roster, error) {
			if r.GetRevision() != 0 {
				return nil, bootstrap.ErrConflict
			}
			return resize(r), nil
		}},
	}
	for _, r := range together {
		r.ctx, r.answer = t.Context(), make(chan struct{})
	}
	s.commit(together)
	for _, r := range together {
		if !errors.Is(r.err, bbolterrors.ErrDatabaseNotOpen) {
			t.Errorf("one of two changes that come together: %v", r.err)
		}
	}
	if err := s.Healthy(t.Context()); !errors.Is(err, bbolterrors.ErrDatabaseNotOpen) {
		t.Errorf("healthy: %v", err)
	}
	s.file.db = good
	if err := s.Healthy(t.Context()); err != nil {
		t.Errorf("healthy again: %v", err)
	}
	if _, r, err := s.Update(t.Context(), "a", resize); err != nil || r.GetRevision() != 1 {
		t.Errorf("update: %v, %v", r, err)
	}
}
