package membership

import (
	"math"
	"slices"
	"sync"
)

const (
	// broadcastsWaiting is how many broadcasts wait to be sent, our own and those of others.
	broadcastsWaiting = 1024
	// broadcastMult is the RetransmitMult of broadcasts, at least. A message that each of N members sends
	// on m times at random misses a given member with a chance of about e^-m: with memberlist's
	// 4 (m = 8 for 50 members) one broadcast in 60 missed somebody. With 8 (m = 16) it is one
	// in 200,000. What memberlist gossips itself is repaired by digests; broadcasts are not.
	broadcastMult = 8
)

// outbox holds the broadcasts that are to be sent, each a number of times. It stands in for
// memberlist's TransmitLimitedQueue, which (v0.7.0) loses one of two messages of the same length
// when it was empty in between.
type outbox struct {
	members func() int // this node included; must not block
	mult    int

	mu    sync.Mutex
	items []outgoing // guarded by mu
}

type outgoing struct {
	message []byte
	key     dataKey // of the entry that it carries; zero for other broadcasts
	sent    int
}

// put queues a message unless too many wait; one that carries a newer version of an entry takes the place
// of the older, which nobody needs any more. With nobody to send to, it does nothing.
func (o *outbox) put(b []byte, key dataKey) bool {
	if o.members() <= 1 {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if key != (dataKey{}) {
		o.items = slices.DeleteFunc(o.items, func(it outgoing) bool { return it.key == key })
	}
	if len(o.items) >= broadcastsWaiting {
		return false
	}
	o.items = append(o.items, outgoing{message: b, key: key})
	return true
}

// take returns what is to go into one packet: those that were sent least come first. Each takes
// overhead bytes more than itself of the limit.
func (o *outbox) take(overhead, limit int) [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.items) == 0 {
		return nil
	}
	most := o.mult * int(math.Ceil(math.Log10(float64(o.members()+1)))) // as memberlist's own
	slices.SortStableFunc(o.items, func(a, b outgoing) int { return a.sent - b.sent })
	var out [][]byte
	for i := range o.items {
		it := &o.items[i]
		if size := len(it.message) + overhead; size <= limit {
			limit -= size
			it.sent++
			out = append(out, it.message)
		}
	}
	o.items = slices.DeleteFunc(o.items, func(it outgoing) bool { return it.sent >= most })
	return out
}

func (o *outbox) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.items)
}
