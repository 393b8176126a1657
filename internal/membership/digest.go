package membership

import (
	"hash/fnv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

// digest is a short name of a set of live members: the sum of a hash of each, and their number.
// Two nodes with the same set have the same digest; the other way round it may fail once in 2^64.
type digest struct {
	hash  uint64
	alive uint32
}

func (d digest) encode() []byte {
	// A message of two numbers cannot fail to encode.
	b, _ := proto.Marshal(&membershipv1.Digest{Hash: d.hash, Alive: d.alive})
	return b
}

func decodeDigest(b []byte) (digest, bool) {
	var m membershipv1.Digest
	if len(b) == 0 || proto.Unmarshal(b, &m) != nil {
		return digest{}, false
	}
	return digest{hash: m.GetHash(), alive: m.GetAlive()}, true
}

// digester keeps the digest of the members that are alive, this one included: those that memberlist
// lists, less those that are suspect. memberlist lists suspects, but a node that alone
// missed a refutation would keep its suspicion until it takes the member for dead.
type digester struct {
	mu       sync.Mutex
	listed   digest    // guarded by mu; never behind: memberlist calls from where it changes its list
	suspects digest    // guarded by mu; as the view has them
	changed  time.Time // guarded by mu
}

func (d *digester) add(node string)    { d.change(&d.listed, hashNode(node), 1) }
func (d *digester) remove(node string) { d.change(&d.listed, -hashNode(node), ^uint32(0)) }

func (d *digester) suspect(node string) { d.change(&d.suspects, hashNode(node), 1) }
func (d *digester) clear(node string)   { d.change(&d.suspects, -hashNode(node), ^uint32(0)) }

func (d *digester) change(set *digest, hash uint64, n uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	set.hash += hash
	set.alive += n
	d.changed = time.Now()
}

func (d *digester) get() digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return digest{hash: d.listed.hash - d.suspects.hash, alive: d.listed.alive - d.suspects.alive}
}

// members counts those that memberlist lists, this one included.
func (d *digester) members() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int(d.listed.alive)
}

// quiet is how long the set has been as it is.
func (d *digester) quiet() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.changed)
}

// hashNode spreads FNV-1a's bits with the finaliser of MurmurHash3, so that sums of hashes of
// names that are alike do not collide.
func hashNode(node string) uint64 {
	f := fnv.New64a()
	_, _ = f.Write([]byte(node))
	h := f.Sum64()
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
