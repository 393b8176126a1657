package network

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxDelayed is how many packets of a socket are under way at a time; more are lost. It is four times what tc-netem
	// holds unless told otherwise.
	maxDelayed = 4096
	// linkQueue is how many bytes wait for a link of limited bandwidth before packets are lost: the largest datagram.
	linkQueue = 64 << 10
	// heldBack is how long a packet that is to be overtaken waits for one that does so. It is below the time in which
	// memberlist expects an answer to a probe.
	heldBack = 100 * time.Millisecond
)

// ListenPacket implements Network.
func (f *Faults) ListenPacket(ctx context.Context, addr string) (net.PacketConn, error) {
	c, err := f.inner.ListenPacket(ctx, addr)
	if err != nil {
		return nil, err
	}
	return &faultPacketConn{PacketConn: c, faults: f, closed: make(chan struct{}), wake: make(chan struct{}, 1)}, nil
}

// faultPacketConn is a socket for packets whose packets pass the rules.
type faultPacketConn struct {
	net.PacketConn
	faults *Faults
	once   sync.Once
	closed chan struct{}
	wake   chan struct{} // has one value when packets has changed
	late   atomic.Int64  // how many packets wait; changed with mu held

	mu      sync.Mutex
	packets delayedPackets // guarded by mu
	started bool           // guarded by mu; the goroutine that sends them runs
}

// WriteTo implements net.PacketConn. What is lost is no error.
func (c *faultPacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	set := c.faults.rules.Load()
	if set == nil {
		return c.PacketConn.WriteTo(b, to)
	}
	l := c.faults.link(to.String(), Packets)
	if !set.touches(l, out) {
		return c.PacketConn.WriteTo(b, to)
	}
	copies := 1
	set.each(l, out, func(a *activeRule) bool {
		switch {
		case a.Kind == Partition, a.Kind == Loss && a.chance(l, out):
			a.lost(l, out, a.Kind == Partition)
			copies = 0
		case a.Kind == Duplicate && a.chance(l, out):
			copies++
		}
		return copies > 0
	})
	for range copies {
		if err := c.send(set, l, b, to); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// send lets a packet go at its time.
func (c *faultPacketConn) send(set *ruleSet, l link, b []byte, to net.Addr) error {
	now := time.Now()
	p := &delayedPacket{due: now, link: l, to: to}
	passed := true
	set.each(l, out, func(a *activeRule) bool {
		switch a.Kind {
		case Bandwidth:
			var free time.Time
			if free, passed = a.pace(l, out, len(b), linkQueue); !passed {
				a.lost(l, out, true)
			}
			p.lag(free.Sub(now))
		case Latency:
			p.due = p.due.Add(a.delay(l, out))
		case Reorder:
			p.held = a.chance(l, out) || p.held
		case Partition, Loss, Duplicate:
		}
		return passed
	})
	if !passed {
		return nil
	}
	p.due = p.due.Add(p.queued)
	if !p.held && !p.due.After(now) && c.late.Load() == 0 {
		_, err := c.PacketConn.WriteTo(b, to)
		return err
	}
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
	}
	p.data = append([]byte(nil), b...)
	if !c.delay(p) {
		set.each(l, out, func(a *activeRule) bool {
			a.lost(l, out, true)
			return false
		})
	}
	return nil
}

// lag is the wait for the slowest of several limits.
func (p *delayedPacket) lag(d time.Duration) { p.queued = max(p.queued, d) }

// ReadFrom implements net.PacketConn. A partition is kept by the receiver too, so that a rule at one side is enough.
func (c *faultPacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		set := c.faults.rules.Load()
		if set == nil || err != nil {
			return n, from, err
		}
		l := c.faults.link(from.String(), Packets)
		by := set.cut(l, in)
		if by == nil {
			return n, from, err
		}
		by.lost(l, in, true)
	}
}

// Close implements net.PacketConn. Packets under way are lost, as those of a process that ends with its queue.
func (c *faultPacketConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		close(c.closed)
		err = c.PacketConn.Close()
	})
	return err
}

// delay sends a packet later; false means that there is no room for it.
func (c *faultPacketConn) delay(p *delayedPacket) bool {
	if !c.start() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.packets.Len() >= maxDelayed {
		return false
	}
	c.packets.add(p, heldBack)
	c.late.Store(int64(c.packets.Len()))
	c.poke()
	return true
}

func (c *faultPacketConn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// start runs the goroutine that sends late packets, once; false means that the faults are closed.
func (c *faultPacketConn) start() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started {
		c.started = c.faults.run(c.sendLate)
	}
	return c.started
}

// sendLate sends packets when they are due, until the socket or the faults are closed.
func (c *faultPacketConn) sendLate() {
	for {
		set := c.faults.rules.Load()
		p, wait := c.due(set)
		if p != nil {
			_, _ = c.PacketConn.WriteTo(p.data, p.to)
			c.mu.Lock()
			c.late.Store(int64(c.packets.Len()))
			c.mu.Unlock()
			continue
		}
		over, stop := pause(wait)
		select {
		case <-over:
		case <-c.wake:
		case <-set.replaced():
		case <-c.faults.ended:
			return
		case <-c.closed:
			return
		}
		stop()
	}
}

// due takes the first packet that is to go now; else wait is how long there is none. When the rules have changed, what no
// rule holds up any more is to go now.
func (c *faultPacketConn) due(set *ruleSet) (p *delayedPacket, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.packets.under != set {
		c.packets.under = set
		c.packets.free(set)
	}
	if c.packets.Len() == 0 {
		return nil, never
	}
	if wait = time.Until(c.packets.first().due); wait > 0 {
		return nil, wait
	}
	return c.packets.take(), 0
}
