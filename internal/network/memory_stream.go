package network

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// backlog is how many connections wait to be accepted: the usual limit of a listening socket.
	backlog = 128
	// window is how many bytes may be under way in one direction before a writer waits; that of a
	// small TCP socket. net.Pipe has none, and gRPC, whose both ends write first, would stand still.
	window = 256 << 10
)

// listener is a listener in memory.
type listener struct {
	memory  *Memory
	addr    address
	backlog chan *conn
	once    sync.Once
	closed  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	if !l.memory.waitThawed(l.addr.host(), l.closed) {
		return nil, net.ErrClosed
	}
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) Close() error {
	l.once.Do(func() {
		l.memory.mu.Lock()
		delete(l.memory.listeners, string(l.addr))
		l.memory.mu.Unlock()
		close(l.closed)
	})
	for {
		select {
		case c := <-l.backlog: // was never accepted: the other end must not wait for ever
			_ = c.Close()
		default:
			return nil
		}
	}
}

// conn is one end of a connection in memory.
type conn struct {
	memory        *Memory
	local, remote address
	in, out       *pipe
	readBy        deadline
	writeBy       deadline
}

func newConns(m *Memory, local, remote address) (near, far *conn) {
	a, b := newPipe(), newPipe()
	near = &conn{memory: m, local: local, remote: remote, in: a, out: b, readBy: newDeadline(), writeBy: newDeadline()}
	far = &conn{memory: m, local: remote, remote: local, in: b, out: a, readBy: newDeadline(), writeBy: newDeadline()}
	return near, far
}

// Read takes bytes that have arrived: those of a host that cannot be reached now have not.
func (c *conn) Read(b []byte) (int, error) {
	for {
		select {
		case <-c.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case <-c.in.abandoned: // also while the other end cannot be reached
			return 0, net.ErrClosed
		default:
		}
		ok, healed := c.memory.link(c.local.host(), c.remote.host())
		if up, _ := c.memory.runs(c.local.host()); !up {
			ok = false
		}
		var more <-chan struct{}
		var due *time.Timer
		var arrives <-chan time.Time
		if ok {
			n, err, wait, left := c.in.take(b)
			if wait == nil {
				return n, err
			}
			more, healed = wait, nil
			if left > 0 {
				due = time.NewTimer(left)
				more, arrives = nil, due.C // nothing overtakes on a connection
			}
		}
		select {
		case <-arrives:
		case <-more:
		case <-healed:
		case <-c.in.abandoned: // told at the top
		case <-c.readBy.passed(): // told at the top
		}
		if due != nil {
			due.Stop()
		}
	}
}

func (c *conn) Write(b []byte) (int, error) {
	written := 0
	for {
		select {
		case <-c.writeBy.passed():
			return written, os.ErrDeadlineExceeded
		default:
		}
		if up, changed := c.memory.runs(c.local.host()); !up {
			select {
			case <-changed:
				continue
			case <-c.in.abandoned:
				return written, net.ErrClosed
			case <-c.writeBy.passed():
				return written, os.ErrDeadlineExceeded
			}
		}
		n, err, wait := c.out.put(b[written:], c.memory.due(c.local.host(), c.remote.host()))
		written += n
		if err != nil || written == len(b) {
			return written, err
		}
		select {
		case <-wait:
		case <-c.writeBy.passed():
			return written, os.ErrDeadlineExceeded
		}
	}
}

// Close ends both directions: what was written can still be read by the other end, and what it writes is refused.
func (c *conn) Close() error {
	c.out.endAt(io.EOF, c.memory.due(c.local.host(), c.remote.host()))
	c.in.abandon()
	c.readBy.set(time.Time{})
	c.writeBy.set(time.Time{})
	c.memory.mu.Lock()
	delete(c.memory.conns, c)
	c.memory.mu.Unlock()
	return nil
}

// reset ends the connection as the death of this end's process does: what the other end has
// not read yet is lost.
func (c *conn) reset() {
	c.out.end(&net.OpError{Op: "read", Net: "memory", Addr: c.local, Err: syscall.ECONNRESET})
	c.out.drop()
	_ = c.Close()
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	c.readBy.set(t)
	c.writeBy.set(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.readBy.set(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writeBy.set(t)
	return nil
}

// pipe carries the bytes of one direction.
type pipe struct {
	abandoned chan struct{} // closed when the reader has closed

	mu     sync.Mutex
	buf    []byte        // guarded by mu
	parts  []part        // guarded by mu; of buf, those that have not arrived yet, and the rest before them
	last   time.Time     // guarded by mu; when the newest part arrives
	endDue time.Time     // guarded by mu; when the end does
	ended  error         // guarded by mu; what the reader gets at last; nil while the writer has not closed
	broken bool          // guarded by mu; the reader has closed
	moved  chan struct{} // guarded by mu; closed and replaced at each change
}

// part is a piece of what is on its way.
type part struct {
	n   int
	due time.Time
}

func newPipe() *pipe { return &pipe{abandoned: make(chan struct{}), moved: make(chan struct{})} }

// take reads what has arrived; with nothing there yet, wait is closed when that changes, and left is after what time the next part arrives, if
// one is on its way.
func (p *pipe) take(b []byte) (n int, err error, wait <-chan struct{}, left time.Duration) { //nolint:revive // the error is not the outcome of waiting
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		return 0, net.ErrClosed, nil, 0
	}
	here, left := p.arrived()
	switch {
	case here > 0 || len(b) == 0:
		n = copy(b, p.buf[:here])
		p.drain(n)
		p.signal()
		return n, nil, nil, 0
	case len(p.buf) > 0:
		return 0, nil, p.moved, left
	case p.ended != nil:
		if left := time.Until(p.endDue); !p.endDue.IsZero() && left > 0 {
			return 0, nil, p.moved, left
		}
		return 0, p.ended, nil, 0
	}
	return 0, nil, p.moved, 0
}

// arrived counts the bytes that have arrived, and says after what time the next do. The lock is held.
func (p *pipe) arrived() (n int, left time.Duration) {
	if len(p.parts) == 0 {
		return len(p.buf), 0
	}
	now := time.Now()
	for _, part := range p.parts {
		if left := part.due.Sub(now); left > 0 {
			return n, left
		}
		n += part.n
	}
	return n, 0
}

// drain takes n bytes out. The lock is held.
func (p *pipe) drain(n int) {
	if p.buf = p.buf[n:]; len(p.buf) == 0 {
		p.buf, p.parts = nil, nil // large ones are not kept
		return
	}
	for len(p.parts) > 0 && n > 0 {
		took := min(n, p.parts[0].n)
		n -= took
		if p.parts[0].n -= took; p.parts[0].n == 0 {
			p.parts = p.parts[1:]
		}
	}
}

// put writes what there is room for; when that is not all, wait is closed when there is more room.
func (p *pipe) put(b []byte, due time.Time) (n int, err error, wait <-chan struct{}) { //nolint:revive // as above
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended != nil:
		return 0, net.ErrClosed, nil
	case p.broken:
		return 0, &net.OpError{Op: "write", Net: "memory", Err: syscall.EPIPE}, nil
	}
	n = min(len(b), window-len(p.buf))
	p.buf = append(p.buf, b[:n]...)
	if n > 0 {
		if !due.IsZero() {
			p.parts = append(p.parts, part{n, p.after(due)})
		}
		p.signal()
	}
	return n, nil, p.moved
}

// after is when something arrives that would at due, but not before what is on its way. The lock is held.
func (p *pipe) after(due time.Time) time.Time {
	if due.After(p.last) {
		p.last = due
	}
	return p.last
}

// end lets the reader get err after what was written, at once; the first end counts.
func (p *pipe) end(err error) { p.endAt(err, time.Time{}) }

// endAt is end, which arrives at its time.
func (p *pipe) endAt(err error, due time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		p.ended = err
		if !due.IsZero() {
			p.endDue = p.after(due)
		}
	}
	p.signal()
}

// drop loses what was not read.
func (p *pipe) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf, p.parts = nil, nil
	p.signal()
}

func (p *pipe) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.broken {
		p.broken = true
		p.buf, p.parts = nil, nil
		close(p.abandoned)
		p.signal()
	}
}

// signal wakes all who wait. The lock is held.
func (p *pipe) signal() {
	close(p.moved)
	p.moved = make(chan struct{})
}
