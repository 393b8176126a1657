package bolt_test

import (
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/bolt"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// faultyDisk is what the transactions of a store pass on their way to the disk.
type faultyDisk struct {
	mu    sync.Mutex
	space int           // guarded by mu; bytes that a transaction can have, -1 for any number
	stuck chan struct{} // guarded by mu; nil, or what transactions wait for
}

func newDisk() *faultyDisk { return &faultyDisk{space: -1} }

func (d *faultyDisk) hold(size int) error {
	d.mu.Lock()
	stuck := d.stuck
	d.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.space >= 0 && size > d.space {
		return syscall.ENOSPC
	}
	return nil
}

// set is what the disk does from now on. What waits for it goes on.
func (d *faultyDisk) set(space int, stuck chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stuck != nil {
		close(d.stuck)
	}
	d.space, d.stuck = space, stuck
}

func (d *faultyDisk) up()   { d.set(-1, nil) }
func (d *faultyDisk) down() { d.set(0, nil) }
func (d *faultyDisk) slow() { d.set(-1, make(chan struct{})) }

// A disk that is full takes what fits into the file as it is, such as a renewed lease. The store is not well before as
// much can be written as could not be.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s, err := bolt.OpenHeld(filepath.Join(t.TempDir(), "roster.db"), 0, time.Minute, d.hold)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	large := func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
		r = bootstrap.UpdateConfig(r, &bootstrapv1.Config{MaxPeers: 100}, time.Now())
		for i := range 100 {
			r = joinPeer(i)(r)
		}
		return r
	}
	mustUpdate(t, s, "small", joinPeer(1))
	d.set(6000, nil)
	if _, _, err := s.Update(t.Context(), "large", large); err == nil {
		t.Fatal("a full disk took a large roster")
	}
	for range 2 {
		mustUpdate(t, s, "small", bootstrap.Reset)
		mustUpdate(t, s, "small", joinPeer(1))
		if err := s.Healthy(t.Context()); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("a store on a full disk is healthy: %v", err)
		}
	}
	d.up()
	if err := s.Healthy(t.Context()); err != nil {
		t.Errorf("with space again: %v", err)
	}
	mustUpdate(t, s, "large", large)
}
