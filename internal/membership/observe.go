package membership

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"hash/maphash"
	"sync"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
)

// Types of memberlist's messages (its net.go, v0.7.0): the numbers are its wire protocol.
const (
	msgSuspect  = 3
	msgAlive    = 4
	msgDead     = 5
	msgCompound = 7
	msgCRC      = 12
)

// nonceSize is that of memberlist's packets: version (1 byte), nonce, AES-GCM with the label as
// additional data.
const nonceSize = 12

// rumour is what a node gossips of a member: its own belief, since it gossips what it accepted.
type rumour struct {
	kind        byte // msgSuspect, msgAlive or msgDead
	node        string
	incarnation uint32
	from        string // who suspects, or said that it is dead
}

// observer reads the packets that leave this node, and of those that come the refutations: memberlist's
// queue (v0.7.0) may lose a message before it was sent once, when one takes the place of the only
// one in it and the next has the same length, since it gives both the same key. Each different
// rumour is told once.
type observer struct {
	aead cipher.AEAD // nil without encryption
	tell func(rumour)

	mu   sync.Mutex
	seed maphash.Seed
	seen map[uint64]struct{} // guarded by mu; hashes of messages
}

// seenMost bounds observer.seen. It is emptied then, and a rumour may be told twice, which
// changes nothing: the incarnation orders them.
const seenMost = 4096

func newObserver(key []byte, tell func(rumour)) (*observer, error) {
	o := &observer{tell: tell, seed: maphash.MakeSeed(), seen: make(map[uint64]struct{})}
	if len(key) == 0 {
		return o, nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	o.aead, err = cipher.NewGCM(block)
	return o, err
}

// sent reads one packet as memberlist gives it to the transport.
func (o *observer) sent(b []byte) { o.packet(b, false) }

// came reads one packet as it came from the network. A higher incarnation than that suspected is
// accepted by memberlist whenever it arrives.
func (o *observer) came(b []byte) { o.packet(b, true) }

// packet passes over what it does not understand.
func (o *observer) packet(b []byte, onlyAlive bool) {
	b, label, err := memberlist.RemoveLabelHeaderFromPacket(b)
	if err != nil {
		return
	}
	if o.aead != nil {
		if len(b) < 1+nonceSize {
			return
		}
		if b, err = o.aead.Open(nil, b[1:1+nonceSize], b[1+nonceSize:], []byte(label)); err != nil {
			return
		}
	}
	if len(b) > 5 && b[0] == msgCRC {
		b = b[5:]
	}
	o.message(b, onlyAlive)
}

func (o *observer) message(b []byte, onlyAlive bool) {
	if len(b) < 2 {
		return
	}
	switch b[0] {
	case msgCompound:
		o.compound(b[1:], onlyAlive)
	case msgSuspect, msgAlive, msgDead:
		if (b[0] == msgAlive || !onlyAlive) && o.isNew(b) {
			if r, ok := decodeRumour(b); ok {
				o.tell(r)
			}
		}
	}
}

// compound is a count (1 byte), as many lengths (2 bytes each), and the messages.
func (o *observer) compound(b []byte, onlyAlive bool) {
	n := int(b[0])
	if len(b) < 1+2*n {
		return
	}
	lengths, rest := b[1:1+2*n], b[1+2*n:]
	for i := range n {
		size := int(binary.BigEndian.Uint16(lengths[2*i:]))
		if size > len(rest) {
			return
		}
		o.message(rest[:size], onlyAlive)
		rest = rest[size:]
	}
}

func (o *observer) isNew(b []byte) bool {
	h := maphash.Bytes(o.seed, b)
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.seen[h]; ok {
		return false
	}
	if len(o.seen) >= seenMost {
		clear(o.seen)
	}
	o.seen[h] = struct{}{}
	return true
}

func decodeRumour(b []byte) (rumour, bool) {
	var fields struct {
		Incarnation uint32
		Node        string
		From        string
	}
	var h codec.MsgpackHandle
	if err := codec.NewDecoderBytes(b[1:], &h).Decode(&fields); err != nil {
		return rumour{}, false
	}
	return rumour{kind: b[0], node: fields.Node, incarnation: fields.Incarnation, from: fields.From}, true
}
