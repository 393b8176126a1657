package membership

import (
	"sync"
	"time"

	"peerlab.example/peerlab/app"
)

// gossipWaiting is how many received broadcasts wait to be handled; what comes on top is
// dropped and counted, and reaches the application from another member, or not at all.
const gossipWaiting = 4096

// changesWaiting is how many changes of data wait to be told before this node's own writes are refused.
const changesWaiting = 4096

// note is what a callback saw. It is a copy. One of its fields is set.
type note struct {
	joined  *app.Member // with the name in node
	updated *app.Member // with the name in node
	gone    bool        // with the name in node
	ping    *ping       // with the name in node
	rumour  *rumour
	gossip  []byte
	state   []byte      // of a full sync
	change  *dataChange // to be told
	call    func()      // runs in the goroutine that owns the view
	node    string      // memberlist's name
}

// ping is an answered probe.
type ping struct {
	rtt         time.Duration
	differs     bool // the member's set of live members was not ours at that moment
	dataDiffers bool // nor were its data
}

// queue takes notes without ever blocking. Changes of membership are never dropped, or the
// view would be wrong for ever; there are no more of them than members change.
type queue struct {
	mu      sync.Mutex
	notes   []note // guarded by mu
	gossip  int    // guarded by mu; how many of notes are gossip
	states  int    // guarded by mu; how many are states
	told    int    // guarded by mu; how many are changes of data
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
	case n.state != nil && q.states >= statesWaiting:
		q.dropped++
		q.mu.Unlock()
		return
	case n.gossip != nil:
		q.gossip++
	case n.state != nil:
		q.states++
	case n.change != nil:
		q.told++
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
	q.notes, q.gossip, q.states, q.told = nil, 0, 0, 0
	return notes
}

// changes is how many changes of data wait to be told.
func (q *queue) changes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.told
}

// drop counts what was dropped before it came here.
func (q *queue) drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped++
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
