package app

import (
	"cmp"
	"fmt"
	"time"
)

// Limits of replicated data. The bytes are so few because a value travels in one packet of gossip.
const (
	// MaxKey is the longest key in bytes.
	MaxKey = 128
	// MaxValue is the largest value in bytes.
	MaxValue = 512
	// MaxEntries is how many keys may hold a value in a group, those of all applications together.
	MaxEntries = 1024
	// MaxData is how many bytes all keys and values of a group may have together: a full sync
	// of two members carries them all.
	MaxData = 256 << 10
)

// Data are keys and values that all members of the group replicate; each application has its own.
//
// A write is gossiped, and is seen by the others in well under a second, mostly; there is no vote and no lock.
// Of several writes to one key, the one with the largest Stamp wins, at each member, in whatever order
// they arrive. Who joins late, or was cut off, gets what it lacks from the others.
//
// The data are those of the membership: they live for as long as one member is in the group that has them.
// A peer that leaves forgets them, and gets them again when it comes back. A deleted key is remembered as such
// for a day, so that the value does not come back with a member that was cut off for shorter than that; of a member
// that was cut off for longer, or missed more than a thousand later deletions, it does.
type Data interface {
	// Set gives the key a value. Key: printable text of at most MaxKey bytes. The value is copied.
	// ErrNotStarted when the peer is in no group; other errors say which limit is passed.
	Set(key string, value []byte) error
	// Delete removes the key; one that is not known is no error.
	Delete(key string) error
	// Get is the value of the key. It is a copy.
	Get(key string) (value []byte, ok bool)
	// Entries are all that have a value, sorted by key. They are copies.
	Entries() []Entry
}

// Entry is a key with its value.
type Entry struct {
	Key   string
	Value []byte
	Stamp Stamp
	// Deleted is set when the key was removed; there is no value then.
	Deleted bool
}

// Stamp is a time of a hybrid logical clock (Kulkarni et al. 2014, "Logical Physical Clocks"): close to that of the wall,
// and larger than all stamps that the writer had seen. No two writes have the same.
type Stamp struct {
	// Wall is in Unix nanoseconds.
	Wall int64
	// Logical orders stamps of one Wall.
	Logical uint32
	// Node is the id of the member that wrote; it orders stamps that are equal otherwise.
	Node string
}

// Compare is -1, 0 or 1 when s is before, the same as, or after t.
func (s Stamp) Compare(t Stamp) int {
	return cmp.Or(cmp.Compare(s.Wall, t.Wall), cmp.Compare(s.Logical, t.Logical), cmp.Compare(s.Node, t.Node))
}

// Time is the part of the wall clock.
func (s Stamp) Time() time.Time { return time.Unix(0, s.Wall) }

// String is like 2006-01-02T15:04:05.999999999Z+1@0a1b2c3d, with the beginning of the id.
func (s Stamp) String() string {
	node := s.Node
	if len(node) > 8 {
		node = node[:8]
	}
	return fmt.Sprintf("%s+%d@%s", s.Time().UTC().Format(time.RFC3339Nano), s.Logical, node)
}

// Clock gives the time, and stamps to order events of several peers by.
type Clock interface {
	// Now is the time of this peer's clock.
	Now() time.Time
	// Stamp is new at each call, and larger than every stamp that this peer gave or saw.
	Stamp() Stamp
}

// Watcher is implemented by an App that wants to know what others write into its Data.
// Changed is called from one goroutine, in order, between Start and Stop; it must not block for long. Start is
// followed by Changed for all entries that are there, this peer's own included. After that, it is called for each
// change that comes from another member, deletions too; of one key, the stamps only grow. A version that was
// replaced on its way to this peer is left out. What this peer writes itself is not told.
type Watcher interface {
	Changed(Entry)
}
