package membership

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"peerlab.example/peerlab/app"
)

// gossipWaiting is how many received broadcasts wait to be handled; what comes on top is
// dropped and counted, and reaches the application from another member, or not at all.
const gossipWaiting = 4096

// note is what a callback saw. It is a copy. One of its fields is set.
type note struct {
	joined  *app.Member // with the name in node
	updated *app.Member // with the name in node
	gone    bool        // with the name in node
	ping    *ping       // with the name in node
	rumour  *rumour
	gossip  []byte
	call    func() // runs in the goroutine that owns the view
	node    string // memberlist's name
}

// ping is an answered probe.
type ping struct {
	rtt     time.Duration
	differs bool // the member's set of live members was not ours at that moment
}

// queue takes notes without ever blocking. Changes of membership are never dropped, or the
// view would be wrong for ever; there are no more of them than members change.
type queue struct {
	mu      sync.Mutex
	notes   []note // guarded by mu
	gossip  int    // guarded by mu; how many of notes are gossip
	dropped uint64 // guarded by mu
	closed  bool   // guarded by mu
	ready   chan struct{}
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) put(n note) {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return
	case n.gossip != nil && q.gossip >= gossipWaiting:
		q.dropped++
		q.mu.Unlock()
		return
	case n.gossip != nil:
		q.gossip++
	}
	q.notes = append(q.notes, n)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns all that waits, in order.
func (q *queue) take() []note {
	q.mu.Lock()
	defer q.mu.Unlock()
	notes := q.notes
	q.notes, q.gossip = nil, 0
	return notes
}

func (q *queue) drops() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// close makes put do nothing: memberlist's last goroutines may call back after its shutdown.
func (q *queue) close() {
	q.mu.Lock()
	q.notes, q.closed = nil, true
	q.mu.Unlock()
}

// delegate is what memberlist calls, often with its locks held. Its methods copy and put notes
// into the queue; they never call memberlist, never block and never call out.
type delegate struct {
	queue   *queue
	digest  *digester
	meta    func() []byte
	pending *memberlist.TransmitLimitedQueue // our broadcasts
}

var (
	_ memberlist.Delegate      = (*delegate)(nil)
	_ memberlist.EventDelegate = (*delegate)(nil)
	_ memberlist.PingDelegate  = (*delegate)(nil)
	_ memberlist.AliveDelegate = (*delegate)(nil)
)

// NotifyJoin implements memberlist.EventDelegate.
func (d *delegate) NotifyJoin(n *memberlist.Node) {
	d.digest.add(n.Name)
	if m, err := decodeMeta(n); err == nil {
		d.queue.put(note{joined: &m, node: n.Name})
	}
}

// NotifyUpdate implements memberlist.EventDelegate.
func (d *delegate) NotifyUpdate(n *memberlist.Node) {
	if m, err := decodeMeta(n); err == nil {
		d.queue.put(note{updated: &m, node: n.Name})
	}
}

// NotifyLeave implements memberlist.EventDelegate: left or lost, memberlist does not say which.
func (d *delegate) NotifyLeave(n *memberlist.Node) {
	d.digest.remove(n.Name)
	d.queue.put(note{gone: true, node: n.Name})
}

// NotifyAlive implements memberlist.AliveDelegate: nodes that are not ours, or would hurt, do not get in.
func (d *delegate) NotifyAlive(n *memberlist.Node) error {
	_, err := decodeMeta(n)
	return err
}

// AckPayload implements memberlist.PingDelegate.
func (d *delegate) AckPayload() []byte { return d.digest.get().encode() }

// NotifyPingComplete implements memberlist.PingDelegate.
func (d *delegate) NotifyPingComplete(n *memberlist.Node, rtt time.Duration, payload []byte) {
	theirs, ok := decodeDigest(payload)
	d.queue.put(note{ping: &ping{rtt: rtt, differs: ok && theirs != d.digest.get()}, node: n.Name})
}

// NodeMeta implements memberlist.Delegate. SetMeta has checked the length.
func (d *delegate) NodeMeta(int) []byte { return d.meta() }

// NotifyMsg implements memberlist.Delegate.
func (d *delegate) NotifyMsg(b []byte) { d.queue.put(note{gossip: slices.Clone(b)}) }

// GetBroadcasts implements memberlist.Delegate.
func (d *delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.pending.GetBroadcasts(overhead, limit)
}

// LocalState implements memberlist.Delegate. State of ours stays out of push/pull, so that it stays small.
func (d *delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (d *delegate) MergeRemoteState([]byte, bool) {}
