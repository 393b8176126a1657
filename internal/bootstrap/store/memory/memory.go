// Package memory is a bootstrap store that keeps rosters in memory only. It has no backend that could be down or slow, and
// so is the one store without a test of that.
package memory

import (
	"context"
	"sync"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/snapshot"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Store implements bootstrap.Store.
type Store struct {
	*snapshot.Table

	write sync.Mutex // held from the begin of a batch to its end
}

// New returns an empty store for at most maxGroups groups; 0 means bootstrap.DefaultMaxGroups.
func New(maxGroups int) *Store { return &Store{Table: snapshot.New(maxGroups)} }

// CompareAndSwap is that of bootstrap.Store. It does not wait for anything but other changes.
func (s *Store) CompareAndSwap(ctx context.Context, group string, revision uint64, r *bootstrapv1.Roster) error {
	s.write.Lock()
	defer s.write.Unlock()
	now, err := s.Load(ctx, group)
	if err != nil {
		return err
	}
	if now.GetRevision() != revision {
		return bootstrap.ErrConflict
	}
	batch := s.Begin()
	if err := batch.Put(r); err != nil {
		return err
	}
	batch.Publish()
	return nil
}

// Healthy returns nil until the store is closed.
func (s *Store) Healthy(ctx context.Context) error {
	_, err := s.Load(ctx, "")
	return err
}

// Close ends all watches.
func (s *Store) Close() error {
	s.Table.Close()
	return nil
}
