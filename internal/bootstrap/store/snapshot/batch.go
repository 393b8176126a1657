package snapshot

import (
	"maps"
	"slices"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Batch is a set of changes that nobody sees before Publish. A batch that is not published
// has no effect. It is not safe for concurrent use.
type Batch struct {
	table  *Table
	staged map[string]*bootstrapv1.Roster // nil: forgotten
	grown  int                            // groups more than in the table
	floor  uint64
}

// Begin starts a batch. There must be no other until it is published or given up.
func (t *Table) Begin() *Batch {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return &Batch{table: t, staged: make(map[string]*bootstrapv1.Roster), floor: t.floor}
}

// Load is the roster of a group as the batch leaves it.
func (b *Batch) Load(name string) *bootstrapv1.Roster {
	if r, ok := b.staged[name]; ok {
		if r == nil {
			return unknown(name, b.floor)
		}
		return r
	}
	b.table.mu.RLock()
	defer b.table.mu.RUnlock()
	if g := b.table.groups[name]; g != nil {
		return g.roster
	}
	return unknown(name, b.floor)
}

// Put sets the roster of its group. It returns ErrTooManyGroups when there is no room for a new group.
func (b *Batch) Put(r *bootstrapv1.Roster) error {
	if !b.holds(r.GetGroup()) {
		if err := b.makeRoom(); err != nil {
			return err
		}
		b.grown++
	}
	b.staged[r.GetGroup()] = r
	return nil
}

func (b *Batch) holds(name string) bool {
	if r, ok := b.staged[name]; ok {
		return r != nil
	}
	b.table.mu.RLock()
	defer b.table.mu.RUnlock()
	return b.table.groups[name] != nil
}

// makeRoom forgets the group without peers that changed longest ago, if the table is full.
// Raising the floor to its revision keeps a later group of the same name, and each stale
// CompareAndSwap, from meeting an old revision again.
func (b *Batch) makeRoom() error {
	b.table.mu.RLock()
	defer b.table.mu.RUnlock()
	if len(b.table.groups)+b.grown < b.table.maxGroups {
		return nil
	}
	var oldest string
	for name, g := range b.table.groups {
		_, staged := b.staged[name]
		if staged || len(g.roster.GetPeers()) > 0 {
			continue
		}
		if oldest == "" || g.changed < b.table.groups[oldest].changed {
			oldest = name
		}
	}
	if oldest == "" {
		return bootstrap.ErrTooManyGroups
	}
	b.floor = max(b.floor, b.table.groups[oldest].roster.GetRevision())
	b.staged[oldest] = nil
	b.grown--
	return nil
}

// Staged are the changes of the batch, by group; nil stands for a group that is forgotten.
func (b *Batch) Staged() map[string]*bootstrapv1.Roster { return b.staged }

// Floor is the revision of every unknown group: no group that was forgotten had a higher one.
func (b *Batch) Floor() uint64 { return b.floor }

// Publish makes the batch the committed state and tells the watchers.
func (b *Batch) Publish() {
	t := b.table
	t.mu.Lock()
	defer t.mu.Unlock()
	t.floor = b.floor
	for _, name := range slices.Sorted(maps.Keys(b.staged)) {
		r := b.staged[name]
		if r == nil {
			delete(t.groups, name)
			continue
		}
		t.clock++
		t.groups[name] = &group{roster: r, changed: t.clock}
		t.notify(r)
	}
}
