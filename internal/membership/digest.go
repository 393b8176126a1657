package membership

import (
	"encoding/binary"
	"hash/fnv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/app"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

// digest is a short name of a set of live members: the sum of a hash of each, over its name and
// announcement, and their number.
// Two nodes with the same set have the same digest; the other way round it may fail once in 2^64.
type digest struct {
	hash  uint64
	alive uint32
}

// encode is the digest of members, and that of the data as they were at until, as it rides in an ack.
func (d digest) encode(data uint64, until int64) []byte {
	// A message of numbers cannot fail to encode.
	b, _ := proto.Marshal(&membershipv1.Digest{Hash: d.hash, Alive: d.alive, DataHash: &data, DataUntil: until})
	return b
}

// compare reads the digests in an ack, and says which of them differ from those of this node. What is missing does not.
func (d digest) compare(ack []byte, data func(until int64) uint64) (members, entries bool) {
	var m membershipv1.Digest
	if len(ack) == 0 || proto.Unmarshal(ack, &m) != nil {
		return false, false
	}
	members = d != digest{hash: m.GetHash(), alive: m.GetAlive()}
	entries = m.DataHash != nil && m.GetDataHash() != data(m.GetDataUntil())
	return members, entries
}

// digester keeps the digest of the members that are alive, this one included, with what they announce:
// those that memberlist lists, less those that are suspect. memberlist lists suspects too, but a
// node that alone missed a refutation would keep its suspicion until it takes the member for dead;
// and one that missed an announcement would not know how to reach an application.
type digester struct {
	mu       sync.Mutex
	listed   map[string]uint64   // guarded by mu; hashes by node; never behind: memberlist calls from where it changes its list
	suspects map[string]struct{} // guarded by mu; as the view has them
	now      digest              // guarded by mu
	changed  time.Time           // guarded by mu
}

func newDigester() *digester {
	return &digester{listed: make(map[string]uint64), suspects: make(map[string]struct{})}
}

// list adds a node, or takes over what it announces now.
func (d *digester) list(node string, meta []byte) {
	d.change(node, func() { d.listed[node] = hashNode(node, meta) })
}

func (d *digester) remove(node string) {
	d.change(node, func() { delete(d.listed, node) })
}

func (d *digester) suspect(node string) {
	d.change(node, func() { d.suspects[node] = struct{}{} })
}

func (d *digester) clear(node string) {
	d.change(node, func() { delete(d.suspects, node) })
}

// change takes the node out of the digest, lets f change what is known of it, and puts it back.
func (d *digester) change(node string, f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.part(node)
	f()
	after := d.part(node)
	d.now.hash += after.hash - before.hash
	d.now.alive += after.alive - before.alive
	d.changed = time.Now()
}

// part is what a node adds to the digest; mu is held.
func (d *digester) part(node string) digest {
	h, listed := d.listed[node]
	if _, suspect := d.suspects[node]; !listed || suspect {
		return digest{}
	}
	return digest{hash: h, alive: 1}
}

func (d *digester) get() digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// members counts those that memberlist lists, this one included.
func (d *digester) members() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.listed)
}

// quiet is how long the set has been as it is.
func (d *digester) quiet() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.changed)
}

// hashNode is the hash of a member with what it announces.
func hashNode(node string, meta []byte) uint64 {
	f := fnv.New64a()
	_, _ = f.Write([]byte(node))
	_, _ = f.Write(meta)
	return spread(f.Sum64())
}

// hashEntry is the hash of an entry that has a value.
func hashEntry(k dataKey, e app.Entry) uint64 {
	f := fnv.New64a()
	number := make([]byte, 0, 8)
	for _, part := range []string{k.app, k.key, e.Stamp.Node, string(e.Value)} {
		_, _ = f.Write(binary.BigEndian.AppendUint64(number, uint64(len(part))))
		_, _ = f.Write([]byte(part))
	}
	_, _ = f.Write(binary.BigEndian.AppendUint64(number, uint64(e.Stamp.Wall))) //nolint:gosec // its bits are meant
	_, _ = f.Write(binary.BigEndian.AppendUint64(number, uint64(e.Stamp.Logical)))
	return spread(f.Sum64())
}

// spread spreads FNV-1a's bits with the finaliser of MurmurHash3, so that sums of hashes of
// names that are alike do not collide.
func spread(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
