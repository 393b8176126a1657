package membership

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"peerlab.example/peerlab/app"
)

const (
	// tombstonesKept is how long a deletion is remembered. It is the longest KeepGone: members that were cut
	// off for longer are not looked for any more, so that no split heals by itself after deletions were forgotten.
	tombstonesKept = longest
	// pruneInterval is how often it is looked for those that may be forgotten.
	pruneInterval = time.Minute
	// tombstonesMost bounds the deletions that are remembered; the oldest go first.
	tombstonesMost = 1024
	// settleRounds is how many rounds of gossip an entry takes to reach nearly all: see broadcasts in outbox.go. 2 s with the
	// lan profile.
	settleRounds = 10
	// dataSlack is how many times more than app.MaxEntries and app.MaxData are taken from other members: the limits are
	// checked where something is written, and on both sides of a split a group may be filled up.
	dataSlack = 2
)

// dataKey names an entry: each application has keys of its own.
type dataKey struct{ app, key string }

// datum is an entry with what the digest needs to know.
type datum struct {
	app.Entry
	hash uint64 // 0 when deleted
	// base is the version that this one, or those in quick succession before it, replaced; see digest.
	base version
}

// version is an older version of an entry. The zero version means none.
type version struct {
	hash  uint64
	wall  int64 // of its stamp
	until int64 // the wall of the stamp that replaced it
}

// store holds the replicated data of all applications: a last-writer-wins map. All members that have merged the
// same entries, in any order and any number of times, hold the same.
type store struct {
	clock *Clock
	self  string // the id of this member
	// settle is settleRounds in nanoseconds; set before memberlist runs.
	settle int64
	// tell is told of each change, in order; send gossips it, and reports false when too much waits to be sent. A message
	// that is nil is still to be made. Both are called with mu held and must not block.
	tell func(dataKey, app.Entry)
	send func(k dataKey, e app.Entry, message []byte) bool

	mu         sync.Mutex
	data       map[dataKey]datum // guarded by mu
	bytes      int               // guarded by mu; of the keys and values of those that are not deleted
	tombstones int               // guarded by mu
	pruned     time.Time         // guarded by mu; when prune last looked
}

func newStore(clock *Clock, self string) *store {
	return &store{clock: clock, self: self, data: make(map[dataKey]datum)}
}

// checkKey says what is wrong with a key.
func checkKey(k dataKey) error {
	return errors.Join(checkText("application", k.app, maxName), checkText("key", k.key, app.MaxKey))
}

// set writes a value of this member.
func (s *store) set(k dataKey, value []byte) error {
	if err := checkKey(k); err != nil {
		return fmt.Errorf("set: %w", err)
	}
	if len(value) > app.MaxValue {
		return fmt.Errorf("set %s: value has %d bytes; %d is the most: %w", k.key, len(value), app.MaxValue, ErrTooLarge)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.full(k, len(value), 1); err != nil {
		return fmt.Errorf("set %s: %w", k.key, err)
	}
	return s.write(k, app.Entry{Key: k.key, Value: bytes.Clone(value)})
}

// remove deletes a key; one that has no value is left as it is.
func (s *store) remove(k dataKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.data[k]; !ok || d.Deleted {
		return nil
	}
	return s.write(k, app.Entry{Key: k.key, Deleted: true})
}

// write stamps an entry and takes it in; mu is held.
func (s *store) write(k dataKey, e app.Entry) error {
	e.Stamp = s.clock.Stamp(s.self)
	if !s.send(k, e, nil) {
		return fmt.Errorf("key %s: %w", k.key, ErrBusy)
	}
	s.put(k, e)
	return nil
}

// full says which limit, times slack, an entry would pass; mu is held.
func (s *store) full(k dataKey, value, slack int) error {
	old, ok := s.data[k]
	count, size := len(s.data)-s.tombstones, s.bytes
	if ok && !old.Deleted {
		count, size = count-1, size-len(k.key)-len(old.Value)
	}
	if most := slack * app.MaxEntries; count+1 > most {
		return fmt.Errorf("%d keys have a value: %w", count, ErrFull)
	}
	if most := slack * app.MaxData; size+len(k.key)+value > most {
		return fmt.Errorf("keys and values have %d bytes of %d: %w", size, most, ErrFull)
	}
	return nil
}

// outcome is what became of an entry of another member.
type outcome int

const (
	known   outcome = iota // it is not newer than what is there
	taken                  // it is valid now
	refused                // its stamp is too far ahead, or there is no room
)

// merge takes in an entry of another member, which checkEntry found to be sound. relay sends it on: as message, or,
// if that is nil, as a message of this node.
func (s *store) merge(k dataKey, e app.Entry, message []byte, relay bool) (result outcome, sent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.data[k]; ok && !newer(e, old.Entry) {
		return known, true
	}
	if !s.clock.observe(e.Stamp) || !e.Deleted && s.full(k, len(e.Value), dataSlack) != nil {
		return refused, true
	}
	s.put(k, e)
	return taken, !relay || s.send(k, e, message)
}

// newer reports whether e takes the place of old. Different entries with one stamp come from a broken
// writer; members agree on them still.
func newer(e, old app.Entry) bool {
	c := e.Stamp.Compare(old.Stamp)
	if c == 0 && e.Deleted != old.Deleted {
		return e.Deleted
	}
	return cmp.Or(c, bytes.Compare(e.Value, old.Value)) > 0
}

// put makes an entry valid; mu is held.
func (s *store) put(k dataKey, e app.Entry) {
	d := datum{Entry: e}
	if !e.Deleted {
		d.hash = hashEntry(k, e)
	}
	if old, ok := s.data[k]; ok {
		d.base = s.baseOf(old, e)
	}
	s.drop(k)
	if e.Deleted {
		if s.tombstones >= tombstonesMost {
			s.dropOldest()
		}
		s.tombstones++
	} else {
		s.bytes += len(k.key) + len(e.Value)
	}
	s.data[k] = d
	s.tell(k, e)
}

// baseOf is the last version before e that had settled.
func (s *store) baseOf(old datum, e app.Entry) version {
	if old.Stamp.Wall > s.clock.Now().UnixNano()-s.settle {
		return old.base
	}
	return version{hash: old.hash, wall: old.Stamp.Wall, until: e.Stamp.Wall}
}

// drop takes an entry out as if it had never been; mu is held.
func (s *store) drop(k dataKey) {
	d, ok := s.data[k]
	switch {
	case !ok:
		return
	case d.Deleted:
		s.tombstones--
	default:
		s.bytes -= len(k.key) + len(d.Value)
	}
	delete(s.data, k)
}

// dropOldest forgets the oldest deletion; mu is held.
func (s *store) dropOldest() {
	var oldest dataKey
	var stamp app.Stamp
	for k, d := range s.data {
		if d.Deleted && (stamp == app.Stamp{} || d.Stamp.Compare(stamp) < 0) {
			oldest, stamp = k, d.Stamp
		}
	}
	s.drop(oldest)
}

// prune forgets the deletions that are older than tombstonesKept.
func (s *store) prune(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tombstones == 0 || now.Sub(s.pruned) < pruneInterval {
		return
	}
	s.pruned = now
	before := now.Add(-tombstonesKept).UnixNano()
	for k, d := range s.data {
		if d.Deleted && d.Stamp.Wall < before {
			s.drop(k)
		}
	}
}

// get is a copy of a value.
func (s *store) get(k dataKey) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.data[k]
	if !ok || d.Deleted {
		return nil, false
	}
	return append([]byte{}, d.Value...), true
}

// entries are copies of those of an application that have a value, sorted by key.
func (s *store) entries(application string) []app.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.valid(application)
}

// valid is entries with mu held.
func (s *store) valid(application string) []app.Entry {
	var out []app.Entry
	for k, d := range s.data {
		if k.app == application && !d.Deleted {
			d.Value = append([]byte{}, d.Value...)
			out = append(out, d.Entry)
		}
	}
	slices.SortFunc(out, func(a, b app.Entry) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// replay hands the entries of an application to put, between the changes that lead to them and those that follow.
func (s *store) replay(application string, put func([]app.Entry)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	put(s.valid(application))
}

// counts are how many keys have a value, and how many deletions are remembered.
func (s *store) counts() (live, deleted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.data) - s.tombstones, s.tombstones
}

// digest is an order-independent hash of the entries that have a value, as they were at a time by their stamps.
//
// Members compare it as of a moment ago. Entries that are on their way to some of them make no difference then, or data
// that change all the time would look as if something was missing. For a key that was overwritten since, that is its
// base: without it, who has the new version would not count the key, and who has not, would.
func (s *store) digest(until int64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum uint64
	for _, d := range s.data {
		switch {
		case d.Stamp.Wall <= until:
			sum += d.hash
		case d.base.wall <= until && until < d.base.until:
			sum += d.base.hash
		}
	}
	return sum
}

// settled is the moment up to which the digest is told to others.
func (s *store) settled() int64 { return s.clock.Now().UnixNano() - s.settle }
