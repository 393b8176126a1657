package bolt

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// CallTimeout is how long a change waits for the disk, with the changes before it, if its caller has no deadline. A
	// disk on which many write has been seen to need 3 s.
	CallTimeout = 10 * time.Second
	// slowDisk is how long a transaction may be under way before the store is not well. A disk that works takes
	// milliseconds, and one that is busy with much else some hundred of them.
	slowDisk = time.Second
)

// disk is what a store knows about its disk.
type disk struct {
	mu      sync.Mutex
	failure error     // guarded by mu; why a transaction failed, nil after one that was as large succeeded
	size    int       // guarded by mu; bytes of the largest transaction that failed, since failure was nil
	since   time.Time // guarded by mu; when the transaction under way began, zero if there is none
}

// begin notes that a transaction is on its way.
func (d *disk) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.since = time.Now()
}

// end notes how a transaction of so many bytes ended. On a full disk a small one may succeed, in pages that are free in the
// file, and says nothing about one that needs more.
func (d *disk) end(size int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.since = time.Time{}
	switch {
	case err != nil:
		d.failure, d.size = err, max(d.size, size)
	case size >= d.size:
		d.failure, d.size = nil, 0
	}
}

// failed is how large a transaction did not succeed yet; 0 if all did.
func (d *disk) failed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure == nil {
		return 0
	}
	return d.size
}

// stuck is an error while a transaction takes too long.
func (d *disk) stuck() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.since.IsZero() || time.Since(d.since) < slowDisk {
		return nil
	}
	return fmt.Errorf("the disk has been writing for %v", time.Since(d.since).Round(time.Second))
}

// Healthy returns nil when the last change could be written, and none has been on its way for more than a second. After
// a failure it tries to write as much again.
func (s *Store) Healthy(ctx context.Context) error {
	if _, err := s.table.Load(ctx, ""); err != nil {
		return err
	}
	if err := s.disk.stuck(); err != nil {
		return fmt.Errorf("store %s: %w", s.path, err)
	}
	if s.disk.failed() == 0 {
		return nil
	}
	_, _, err := s.send(ctx, &request{probe: true})
	return err
}
