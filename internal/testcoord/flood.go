package testcoord

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// How much of what a peer logs is kept, so that a peer which floods cannot take all memory: an event of 100 bytes on the
// wire takes about 500 in memory, so that one peer can take some 200 MB at most.
const (
	// DefaultKeepEvents is how many events of each peer are kept, in all its lives. The busiest peer of the shipped suites
	// logs some thousands.
	DefaultKeepEvents = 250_000
	// keepBytes is how much they may be together, in bytes on the wire.
	keepBytes = 64 << 20
)

// FloodRecord is a peer that logged more than is kept.
type FloodRecord struct {
	Peer string
	// Kept is how many of its events are kept: the first ones.
	Kept int
	// Beyond is how many came after these. They are among those that are counted as lost on the way.
	Beyond uint64
}

func (f FloodRecord) String() string {
	return fmt.Sprintf("%s logged %d events more than the %d that are kept", f.Peer, f.Beyond, f.Kept)
}

// keep reports whether an event is to be kept; else it is counted. What is kept has no gaps, so that once one event was
// too many, all are. The lock is held.
func (c *Coordinator) keep(p *peer, e *eventv1.Event) bool {
	size := proto.Size(e)
	if p.beyond == 0 && len(p.log) < c.opt.KeepEvents && p.bytes+size <= keepBytes {
		p.bytes += size
		return true
	}
	p.beyond++
	p.missed++
	return false
}

// tellFlood tells of a peer whose events are no longer kept.
func (c *Coordinator) tellFlood(f FloodRecord) {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	c.screen.Note(fmt.Sprintf("%s floods: its first %d events are kept, further ones are only counted, and what depends on them cannot be judged", f.Peer, f.Kept))
}

// floods are the peers that logged more than is kept.
func (c *Coordinator) floods() []FloodRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []FloodRecord
	for _, name := range c.suite.Peers {
		if p := c.peers[name]; p.beyond > 0 {
			out = append(out, p.flood())
		}
	}
	return out
}

func (p *peer) flood() FloodRecord {
	return FloodRecord{Peer: p.name, Kept: len(p.log), Beyond: p.beyond}
}
