// Package bolt is a bootstrap store in one bbolt file. A change that was acknowledged
// survives the end of the process, however it ends.
//
// Rosters are read from memory. Changes go to one goroutine, which makes all that wait
// durable in one transaction, so that many callers share the cost of the disk.
package bolt

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/snapshot"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Store implements bootstrap.Store and bootstrap.Updater.
type Store struct {
	path     string
	timeout  time.Duration // of a call
	table    *snapshot.Table
	file     *file
	disk     disk
	requests chan *request
	closing  chan struct{} // closed by Close
	once     sync.Once
	tasks    sync.WaitGroup
	closeErr error // written by once
	commits  atomic.Uint64
}

// Open opens or creates the file, and its folder. maxGroups is as in snapshot.New.
// A file that another process has open is an error which says so.
func Open(path string, maxGroups int) (*Store, error) {
	return open(path, maxGroups, CallTimeout, nil)
}

// open is Open with the timeout of calls and the hold of a file.
func open(path string, maxGroups int, timeout time.Duration, hold func(size int) error) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	f, floor, rosters, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	f.hold = hold
	s := &Store{
		path:     path,
		timeout:  timeout,
		table:    snapshot.New(maxGroups),
		file:     f,
		requests: make(chan *request),
		closing:  make(chan struct{}),
	}
	s.table.Restore(floor, rosters)
	s.tasks.Go(s.run)
	return s, nil
}

// Close ends all watches, waits for the transaction that is under way, and closes the
// file. It is idempotent.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		s.tasks.Wait()
		s.table.Close()
		s.closeErr = s.file.close()
	})
	return s.closeErr
}

// Load returns the last durable roster of a group, from memory.
func (s *Store) Load(ctx context.Context, group string) (*bootstrapv1.Roster, error) {
	return s.table.Load(ctx, group)
}

// Watch yields a roster when it is durable.
func (s *Store) Watch(ctx context.Context, group string) iter.Seq2[*bootstrapv1.Roster, error] {
	return s.table.Watch(ctx, group)
}

// Groups are the names of all groups.
func (s *Store) Groups(ctx context.Context) ([]string, error) { return s.table.Groups(ctx) }

// CompareAndSwap is that of bootstrap.Store.
func (s *Store) CompareAndSwap(ctx context.Context, group string, revision uint64, r *bootstrapv1.Roster) error {
	_, _, err := s.submit(ctx, group, func(now *bootstrapv1.Roster) (*bootstrapv1.Roster, error) {
		if now.GetRevision() != revision {
			return nil, bootstrap.ErrConflict
		}
		return r, nil
	})
	return err
}

// Update is that of bootstrap.Updater.
func (s *Store) Update(ctx context.Context, group string, change bootstrap.Change) (before, after *bootstrapv1.Roster, err error) {
	return s.submit(ctx, group, func(r *bootstrapv1.Roster) (*bootstrapv1.Roster, error) { return change(r), nil })
}

// Commits is how many transactions have reached the disk since Open. It stays below the number of
// changes when those come together.
func (s *Store) Commits() uint64 { return s.commits.Load() }
