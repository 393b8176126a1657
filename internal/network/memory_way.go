package network

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Way is what the way from one host of a Memory to another is like by nature. Faults come on top of it.
type Way struct {
	// Delay and Jitter are how long everything takes one way: Delay ± Jitter.
	Delay, Jitter time.Duration
	// Lost, Twice and Overtaken are the shares of packets that are lost, arrive twice, and are overtaken by later ones, from 0 to 1. On
	// connections, what is lost is sent again, and late; the rest does not touch them.
	Lost, Twice, Overtaken float64
}

// Ways says what all ways are like; without it, nothing takes any time. It is to be called before the network is used. between gets the
// addresses of two hosts. What is drawn by chance depends on the seed and on the order in which a host sends.
func (m *Memory) Ways(seed uint64, between func(from, to string) Way) {
	m.ways = &ways{seed: seed, between: between}
}

// ways are those of a Memory.
type ways struct {
	seed    uint64
	between func(from, to string) Way

	mu    sync.Mutex
	hosts map[string]*rand.Rand // guarded by mu; the chance of each sending host
}

// draw is how late one thing is on its way, and how often it arrives. connection is whether what is lost is sent again.
func (w *ways) draw(from, to string, connection bool) (late time.Duration, copies int) {
	way := w.between(from, to)
	w.mu.Lock()
	defer w.mu.Unlock()
	chance := w.hosts[from]
	if chance == nil {
		if w.hosts == nil {
			w.hosts = map[string]*rand.Rand{}
		}
		var id uint64
		for _, b := range []byte(from) {
			id = id*257 + uint64(b)
		}
		chance = rand.New(rand.NewPCG(w.seed, id))
		w.hosts[from] = chance
	}
	once := func() time.Duration {
		if way.Jitter == 0 {
			return way.Delay
		}
		return way.Delay - way.Jitter + time.Duration(chance.Int64N(int64(2*way.Jitter)+1))
	}
	happens := func(share float64) bool { return share > 0 && chance.Float64() < share }
	late, copies = once(), 1
	if connection {
		for again := range resendMost {
			if !happens(way.Lost) {
				break
			}
			late += resend << again
		}
		return late, 1
	}
	switch {
	case happens(way.Lost):
		copies = 0
	case happens(way.Twice):
		copies = 2
	case happens(way.Overtaken):
		late += heldBack
	}
	return late, copies
}

// due is when something that is written now arrives at the other end of a connection.
func (m *Memory) due(from, to string) time.Time {
	if m.ways == nil {
		return time.Time{}
	}
	late, _ := m.ways.draw(from, to, true)
	return time.Now().Add(late)
}

// shakeHands takes the time of one way and back.
func (m *Memory) shakeHands(ctx context.Context, from, to string) error {
	if m.ways == nil {
		return nil
	}
	there, _ := m.ways.draw(from, to, true)
	back, _ := m.ways.draw(to, from, true)
	t := time.NewTimer(there + back)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return dialError(ctx)
	}
}

// send lets a packet arrive at its time. One that is on its way when its receiver closes is lost with it.
func (m *Memory) send(p packet, to *packetConn) (dropped int) {
	if m.ways == nil {
		return to.arrive(p)
	}
	late, copies := m.ways.draw(p.from.host(), to.addr.host(), false)
	for range copies {
		if late <= 0 {
			dropped += to.arrive(p)
			continue
		}
		time.AfterFunc(late, func() {
			if n := to.arrive(p); n > 0 {
				m.dropped.Add(uint64(n))
			}
		})
	}
	if copies == 0 {
		return 1
	}
	return dropped
}

// arrive puts a packet into the queue of its receiver, or drops it.
func (c *packetConn) arrive(p packet) (dropped int) {
	select {
	case <-c.closed:
		return 1
	default:
	}
	select {
	case c.queue <- p:
		return 0
	default:
		return 1
	}
}
