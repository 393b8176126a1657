package network

import (
	"net"
	"os"
	"sync"
	"time"
)

// queue is how many packets wait to be read before more are lost: about what the receive buffer of a
// UDP socket holds.
const queue = 1024

// packet is one datagram.
type packet struct {
	from address
	data []byte
}

// packetConn is a socket for datagrams in memory.
type packetConn struct {
	memory *Memory
	addr   address
	queue  chan packet
	readBy deadline
	once   sync.Once
	closed chan struct{}
}

func newPacketConn(m *Memory, addr address) *packetConn {
	return &packetConn{memory: m, addr: addr, queue: make(chan packet, queue), readBy: newDeadline(), closed: make(chan struct{})}
}

func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		// As with a kernel's sockets, the end comes before the deadline, and that before what waits.
		select {
		case <-c.closed:
			return 0, nil, net.ErrClosed
		default:
		}
		select {
		case <-c.readBy.passed():
			return 0, nil, os.ErrDeadlineExceeded
		default:
		}
		queue := c.queue
		up, changed := c.memory.runs(c.addr.host())
		if !up {
			queue = nil
		}
		select {
		case p := <-queue:
			return copy(b, p.data), p.from, nil
		case <-changed:
		case <-c.closed:
		case <-c.readBy.passed():
		}
	}
}

// WriteTo never blocks, unless its own host is frozen, and, as UDP, never tells that a packet was lost.
func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if !c.memory.waitThawed(c.addr.host(), c.closed) {
		return 0, net.ErrClosed
	}
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	m := c.memory
	m.mu.Lock()
	dest := m.packets[to.String()]
	m.mu.Unlock()
	ok := dest != nil
	if ok {
		ok, _ = m.link(c.addr.host(), dest.addr.host())
	}
	dropped := 1
	if ok {
		dropped = m.send(packet{from: c.addr, data: append([]byte(nil), b...)}, dest)
	}
	if dropped > 0 {
		m.dropped.Add(uint64(dropped))
	}
	return len(b), nil
}

func (c *packetConn) Close() error {
	c.once.Do(func() {
		c.memory.mu.Lock()
		delete(c.memory.packets, string(c.addr))
		c.memory.mu.Unlock()
		close(c.closed)
	})
	return nil
}

func (c *packetConn) LocalAddr() net.Addr { return c.addr }

func (c *packetConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

func (c *packetConn) SetReadDeadline(t time.Time) error {
	c.readBy.set(t)
	return nil
}

func (*packetConn) SetWriteDeadline(time.Time) error { return nil }

// deadline is a channel that is closed when a time has come, and that can be set anew.
type deadline struct{ s *deadlineState }

type deadlineState struct {
	mu    sync.Mutex
	timer *time.Timer   // guarded by mu; nil when there is none
	ch    chan struct{} // guarded by mu; closed when the time has come
}

func newDeadline() deadline { return deadline{&deadlineState{ch: make(chan struct{})}} }

func (d deadline) passed() <-chan struct{} {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return d.s.ch
}

// set changes the time; the zero time is never. Who waits already keeps the earlier channel
// only if that is closed, or wakes by the new time.
func (d deadline) set(t time.Time) {
	s := d.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	select {
	case <-s.ch:
		s.ch = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	ch := s.ch
	closeOnce := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ch != ch {
			return
		}
		select {
		case <-ch:
		default:
			close(ch)
		}
	}
	if wait := time.Until(t); wait > 0 {
		s.timer = time.AfterFunc(wait, closeOnce)
		return
	}
	close(ch)
}
