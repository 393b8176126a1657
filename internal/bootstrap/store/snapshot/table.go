// Package snapshot keeps the rosters of a store in memory: what was last committed, and who watches it.
// Readers get shared, read-only rosters without waiting for a writer's disk.
package snapshot

import (
	"context"
	"iter"
	"sync"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Table is the committed state of a store. Reads are safe at any time; changes go through a
// Batch, of which the store has at most one at a time.
type Table struct {
	maxGroups int

	mu       sync.RWMutex
	groups   map[string]*group                // guarded by mu
	floor    uint64                           // guarded by mu; see Floor
	clock    uint64                           // guarded by mu; counts changes
	watchers map[string]map[*watcher]struct{} // guarded by mu
	closed   bool                             // guarded by mu
	end      chan struct{}                    // closed by Close
}

type group struct {
	roster  *bootstrapv1.Roster
	changed uint64 // the clock at its last change
}

// watcher holds the newest roster that its reader has not taken.
type watcher chan *bootstrapv1.Roster

// New returns an empty table for at most maxGroups groups; 0 means bootstrap.DefaultMaxGroups.
func New(maxGroups int) *Table {
	if maxGroups == 0 {
		maxGroups = bootstrap.DefaultMaxGroups
	}
	return &Table{
		maxGroups: maxGroups,
		groups:    make(map[string]*group),
		watchers:  make(map[string]map[*watcher]struct{}),
		end:       make(chan struct{}),
	}
}

// Restore fills an empty table with what a store kept on disk.
func (t *Table) Restore(floor uint64, rosters []*bootstrapv1.Roster) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.floor = floor
	for _, r := range rosters {
		t.groups[r.GetGroup()] = &group{roster: r}
	}
}

// Load is Store.Load.
func (t *Table) Load(ctx context.Context, name string) (*bootstrapv1.Roster, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return nil, bootstrap.ErrClosed
	}
	return t.load(name), nil
}

// load needs mu.
func (t *Table) load(name string) *bootstrapv1.Roster {
	if g := t.groups[name]; g != nil {
		return g.roster
	}
	return unknown(name, t.floor)
}

func unknown(name string, floor uint64) *bootstrapv1.Roster {
	return &bootstrapv1.Roster{Group: name, Revision: floor}
}

// Groups is Store.Groups.
func (t *Table) Groups(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return nil, bootstrap.ErrClosed
	}
	names := make([]string, 0, len(t.groups))
	for name := range t.groups {
		names = append(names, name)
	}
	return names, nil
}

// Watch is Store.Watch.
func (t *Table) Watch(ctx context.Context, name string) iter.Seq2[*bootstrapv1.Roster, error] {
	return func(yield func(*bootstrapv1.Roster, error) bool) {
		w := make(watcher, 1)
		t.mu.Lock()
		if t.watchers[name] == nil {
			t.watchers[name] = make(map[*watcher]struct{})
		}
		t.watchers[name][&w] = struct{}{}
		w <- t.load(name)
		t.mu.Unlock()
		defer t.unwatch(name, &w)
		for {
			select {
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			case <-t.end:
				yield(nil, bootstrap.ErrClosed)
				return
			case r := <-w:
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

func (t *Table) unwatch(name string, w *watcher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.watchers[name], w)
	if len(t.watchers[name]) == 0 {
		delete(t.watchers, name)
	}
}

// notify needs mu.
func (t *Table) notify(r *bootstrapv1.Roster) {
	for w := range t.watchers[r.GetGroup()] {
		select {
		case <-*w: // the reader has not taken this one, and a newer one is here
		default:
		}
		*w <- r
	}
}

// Close ends all watches; reads return ErrClosed from then on. It is idempotent.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true
		close(t.end)
	}
}
