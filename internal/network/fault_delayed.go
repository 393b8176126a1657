package network

import (
	"container/heap"
	"net"
	"time"
)

// delayedPacket is a packet under way.
type delayedPacket struct {
	due    time.Time
	queued time.Duration // of it, the wait for bandwidth
	seq    uint64        // orders those that are due at one time
	held   bool          // to be overtaken
	link   link
	to     net.Addr
	data   []byte
	index  int
}

// delayedPackets are packets under way, the one that is due first at the top.
type delayedPackets struct {
	heap  packetHeap
	under *ruleSet // the rules that were looked at last
	seq   uint64
	held  []*delayedPacket // those that nothing has overtaken yet
}

func (d *delayedPackets) Len() int              { return len(d.heap) }
func (d *delayedPackets) first() *delayedPacket { return d.heap[0] }

// add puts a packet in. One that is held back goes behind the next on its link, or when so much time has passed.
func (d *delayedPackets) add(p *delayedPacket, patience time.Duration) {
	d.seq++
	p.seq = d.seq
	if !p.held {
		d.release(p)
		heap.Push(&d.heap, p)
		return
	}
	p.due = p.due.Add(patience)
	d.held = append(d.held, p)
	heap.Push(&d.heap, p)
}

// release lets those that were held back follow the packet that overtakes them.
func (d *delayedPackets) release(by *delayedPacket) {
	var left []*delayedPacket
	for _, p := range d.held {
		if p.link != by.link {
			left = append(left, p)
			continue
		}
		d.seq++
		p.seq, p.held = d.seq, false
		if by.due.Before(p.due) {
			p.due = by.due
		}
		heap.Fix(&d.heap, p.index)
	}
	d.held = left
}

// free makes those due that no rule is for any more.
func (d *delayedPackets) free(set *ruleSet) {
	now := time.Now()
	for _, p := range d.heap {
		if p.due.After(now) && !set.touches(p.link, out) {
			p.due = now
		}
	}
	heap.Init(&d.heap)
}

// take removes the first.
func (d *delayedPackets) take() *delayedPacket {
	p := heap.Pop(&d.heap).(*delayedPacket) //nolint:forcetypeassert // the heap holds nothing else
	for i, h := range d.held {
		if h == p {
			d.held = append(d.held[:i], d.held[i+1:]...)
			break
		}
	}
	return p
}

// packetHeap implements heap.Interface.
type packetHeap []*delayedPacket

func (h packetHeap) Len() int { return len(h) }

func (h packetHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].seq < h[j].seq
	}
	return h[i].due.Before(h[j].due)
}

func (h packetHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *packetHeap) Push(x any) {
	p := x.(*delayedPacket) //nolint:forcetypeassert // only delayedPackets pushes
	p.index = len(*h)
	*h = append(*h, p)
}

func (h *packetHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return p
}
