package bolt

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/internal/bootstrap/store/snapshot"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// The layout of the file. Bucket "rosters" has one bootstrapv1.Roster per group name; bucket "meta"
// has "format", this layout's number as text, and "floor", eight bytes big endian; for a moment also "probe", which
// means nothing.
const format = "1"

var (
	rostersBucket = []byte("rosters")
	metaBucket    = []byte("meta")
	formatKey     = []byte("format")
	floorKey      = []byte("floor")
	probeKey      = []byte("probe")
)

// maxProbe bounds what a rehearsal writes, in bytes.
const maxProbe = 16 << 20

// file is the database, in terms of rosters.
type file struct {
	db   *bbolt.DB
	held *os.File             // that of db
	hold func(size int) error // for tests: may block a transaction of so many bytes, or fail it; nil for none
	lost error                // set when the file was found to be damaged, after which db is not to be used; only of who writes, and at last closes
}

// update makes one transaction of about so many bytes. Some damage is only found when pages are written anew.
func (f *file) update(size int, change func(*bbolt.Tx) error) error {
	if f.lost != nil {
		return f.lost
	}
	if f.hold != nil {
		if err := f.hold(size); err != nil {
			return err
		}
	}
	err := whole(func() error { return f.db.Update(change) })
	if errors.As(err, new(damage)) {
		f.lost = err
	}
	return err
}

// close closes the database. bbolt may have kept locks of its own when it panicked, for which its Close would wait: its mapping of a
// damaged file, and with that the lock of the file, stay until the process ends.
func (f *file) close() error {
	if f.lost != nil {
		return f.held.Close()
	}
	return f.db.Close()
}

// load prepares a new file, or reads all that an old one has.
func (f *file) load() (floor uint64, rosters []*bootstrapv1.Roster, err error) {
	err = f.db.Update(func(tx *bbolt.Tx) error {
		// A page that is cut off in its middle is no fault: the rest of it is zeros.
		if info, err := os.Stat(f.db.Path()); err != nil || info.Size() < tx.Size() {
			return cmp.Or(err, error(damage("its end is missing")))
		}
		meta, err := tx.CreateBucketIfNotExists(metaBucket)
		if err != nil {
			return err
		}
		if have := meta.Get(formatKey); have != nil && string(have) != format {
			return fmt.Errorf("it has format %.20q, and this version knows %s", have, format)
		}
		if err := meta.Put(formatKey, []byte(format)); err != nil {
			return err
		}
		if err := meta.Delete(probeKey); err != nil {
			return err
		}
		if v := meta.Get(floorKey); len(v) == 8 {
			floor = binary.BigEndian.Uint64(v)
		}
		bucket, err := tx.CreateBucketIfNotExists(rostersBucket)
		if err != nil {
			return err
		}
		rosters, err = readAll(bucket)
		return err
	})
	return floor, rosters, err
}

func readAll(bucket *bbolt.Bucket) ([]*bootstrapv1.Roster, error) {
	var rosters []*bootstrapv1.Roster
	err := bucket.ForEach(func(name, value []byte) error {
		r := &bootstrapv1.Roster{}
		if err := proto.Unmarshal(value, r); err != nil {
			return fmt.Errorf("roster of group %q: %w", name, err)
		}
		if r.GetGroup() != string(name) {
			return fmt.Errorf("roster of group %q: it is that of %q", name, r.GetGroup())
		}
		rosters = append(rosters, r)
		return nil
	})
	return rosters, err
}

// size is about how many bytes it takes to save a batch: those of its rosters, and for each a page that is written
// anew with what else is on it.
func size(b *snapshot.Batch) int {
	n := 0
	for _, r := range b.Staged() {
		n += os.Getpagesize() + proto.Size(r)
	}
	return n
}

// rehearse shows that so many bytes can be written, at most maxProbe: it writes them, and then forgets them. What they took
// is free in the file for what comes next.
func (f *file) rehearse(size int) error {
	err := f.update(size, func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put(probeKey, make([]byte, min(size, maxProbe)))
	})
	if err != nil {
		return err
	}
	return f.update(0, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Delete(probeKey) })
}

// save makes a batch durable.
func (f *file) save(b *snapshot.Batch, size int) error {
	return f.update(size, func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(rostersBucket)
		for name, r := range b.Staged() {
			if r == nil {
				if err := bucket.Delete([]byte(name)); err != nil {
					return fmt.Errorf("forget group %s: %w", name, err)
				}
				continue
			}
			value, err := proto.Marshal(r)
			if err == nil {
				err = bucket.Put([]byte(name), value)
			}
			if err != nil {
				return fmt.Errorf("write group %s: %w", name, err)
			}
		}
		return tx.Bucket(metaBucket).Put(floorKey, binary.BigEndian.AppendUint64(nil, b.Floor()))
	})
}
