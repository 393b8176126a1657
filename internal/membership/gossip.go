package membership

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/app"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

const (
	// packetSize is the largest packet of gossip, memberlist's default: it passes through
	// networks with a frame of 1500 bytes in one piece.
	packetSize = 1400
	// window is how far apart the numbers of two broadcasts of one origin may arrive; one that is
	// older counts as known.
	window = 4096
	// originsMost bounds the origins that are remembered, and parkedMost the broadcasts that
	// wait for the member that sent them to become known.
	originsMost = 4096
	parkedMost  = 256
)

// label marks all packets and streams of a group.
func label(group string) string { return "peerlab/" + group }

// room is the largest broadcast that memberlist can ever send: what does not fit into an empty
// packet would wait for ever. Of the packet go off: the label (2 bytes and itself), the
// encryption (version 1, nonce 12, tag 16), the header of a compound message (2), and, for each
// message in it, length (2) and type (1).
func room(cfg Config) int {
	n := packetSize - 2 - len(label(cfg.Group)) - 2 - 2 - 1
	if len(cfg.Key) > 0 {
		n -= 1 + nonceSize + 16
	}
	return n
}

// gossip sends broadcasts, and sends on those of others: memberlist would reach only as many
// members as this node sends to itself.
type gossip struct {
	id      string
	room    int
	queue   *outbox
	seq     atomic.Uint64
	dropped atomic.Uint64

	// Only the goroutine that owns the view uses these.
	origins map[string]*seen
	parked  []*membershipv1.Gossip
}

// seen are the numbers of one origin that have arrived.
type seen struct {
	newest uint64
	bits   [window / 64]uint64
	last   time.Time
}

func newGossip(id string, members func() int, room int) *gossip {
	return &gossip{
		id: id, room: room, origins: make(map[string]*seen),
		queue: &outbox{members: members, mult: broadcastMult},
	}
}

// Broadcast gossips payload to the application on all other members: each gets it at most
// once, in any order. At most app.MaxBroadcast bytes.
func (n *Node) Broadcast(application string, payload []byte) error {
	if len(payload) > app.MaxBroadcast {
		return fmt.Errorf("broadcast of %d bytes: %d is the most: %w", len(payload), app.MaxBroadcast, ErrTooLarge)
	}
	if _, err := n.active(); err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	data := &membershipv1.Data{App: application, Payload: payload}
	return n.send(&membershipv1.Gossip{What: &membershipv1.Gossip_Data{Data: data}})
}

// send numbers and queues a broadcast of this node.
func (n *Node) send(g *membershipv1.Gossip) error {
	g.Origin, g.Seq = n.gossip.id, n.gossip.seq.Add(1)
	b, err := proto.Marshal(g)
	if err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	if len(b) > n.gossip.room {
		return fmt.Errorf("broadcast of %d bytes with its frame: %d is the most: %w", len(b), n.gossip.room, ErrTooLarge)
	}
	if !n.gossip.queue.put(b, dataKey{}) {
		return fmt.Errorf("broadcast: %w", ErrBusy)
	}
	return nil
}

// received handles a broadcast that arrived: the first time, it is sent on and delivered.
func (n *Node) received(b []byte) {
	var g membershipv1.Gossip
	if proto.Unmarshal(b, &g) != nil || g.GetOrigin() == n.gossip.id || len(b) > n.gossip.room {
		return
	}
	if e := g.GetEntry(); e != nil {
		n.merge(e, b, true)
		return
	}
	if !n.gossip.first(g.GetOrigin(), g.GetSeq(), time.Now()) {
		return
	}
	if !n.gossip.queue.put(b, dataKey{}) {
		n.gossip.dropped.Add(1)
	}
	if l := g.GetLeave(); l != nil {
		if l.GetHeard() {
			n.emit(n.view.hearLeft(l.GetId(), time.Now()))
		} else {
			n.emit(n.view.goodbye(l.GetId(), g.GetOrigin(), time.Now()))
		}
		return
	}
	n.deliver(&g)
}

// deliver gives a broadcast to the application, once its sender is known.
func (n *Node) deliver(g *membershipv1.Gossip) {
	from, ok := n.view.byID(g.GetOrigin())
	if ok {
		n.cfg.OnBroadcast(g.GetData().GetApp(), from, g.GetData().GetPayload())
		return
	}
	if len(n.gossip.parked) >= parkedMost {
		n.gossip.parked = slices.Delete(n.gossip.parked, 0, 1)
		n.gossip.dropped.Add(1)
	}
	n.gossip.parked = append(n.gossip.parked, g)
}

// deliverParked delivers what came before the member that sent it was known.
func (n *Node) deliverParked(id string) {
	var mine []*membershipv1.Gossip
	n.gossip.parked = slices.DeleteFunc(n.gossip.parked, func(g *membershipv1.Gossip) bool {
		if g.GetOrigin() == id {
			mine = append(mine, g)
			return true
		}
		return false
	})
	for _, g := range mine {
		n.deliver(g)
	}
}

// first reports whether the broadcast arrives for the first time.
func (g *gossip) first(origin string, seq uint64, now time.Time) bool {
	s := g.origins[origin]
	if s == nil {
		if len(g.origins) >= originsMost {
			g.forgetOldest()
		}
		s = &seen{}
		g.origins[origin] = s
	}
	s.last = now
	return s.mark(seq)
}

func (g *gossip) forgetOldest() {
	oldest := ""
	for o, s := range g.origins {
		if oldest == "" || s.last.Before(g.origins[oldest].last) {
			oldest = o
		}
	}
	delete(g.origins, oldest)
}

// mark reports whether seq is new, and remembers it.
func (s *seen) mark(seq uint64) bool {
	if seq > s.newest {
		for i := max(s.newest+1, seq-min(seq, window)+1); i < seq; i++ {
			s.bits[i%window/64] &^= 1 << (i % 64)
		}
		s.newest = seq
	} else if s.newest-seq >= window || s.bits[seq%window/64]&(1<<(seq%64)) != 0 {
		return false
	}
	s.bits[seq%window/64] |= 1 << (seq % 64)
	return true
}
