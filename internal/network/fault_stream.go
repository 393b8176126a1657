package network

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// firstRetry is after what time a connection whose first segment was lost tries again (RFC 6298, section 2).
	firstRetry = time.Second
	// linger is how long what was written before Close is still sent: about as long as Linux keeps a connection that
	// no process has any more (tcp_orphan_retries).
	linger = 100 * time.Second
)

// Dial implements Network. Over a link that is cut, it waits until the cut ends, or ctx does; 30 s at most.
func (f *Faults) Dial(ctx context.Context, ch Channel, addr string) (net.Conn, error) {
	if f.rules.Load() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		if err := f.shakeHands(ctx, ch, addr); err != nil {
			return nil, &net.OpError{Op: "dial", Net: string(ch), Addr: address(addr), Err: err}
		}
	}
	c, err := f.inner.Dial(ctx, ch, addr)
	if err != nil {
		return nil, err
	}
	fc := &faultConn{Conn: c, faults: f, addr: addr, ch: ch, closed: make(chan struct{}), readBy: newDeadline(), writeBy: newDeadline(), giveUp: newDeadline()}
	fc.out, fc.in = newDelayLine(fc, out), newDelayLine(fc, in)
	if fc.touched(in) { // so that what comes is late from when it came, not from when it is read
		if err := fc.readAhead(nil, nil); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return fc, nil
}

// shakeHands takes the time of one way and back.
func (f *Faults) shakeHands(ctx context.Context, ch Channel, addr string) error {
	var start time.Time
	var there, back []lag
	for {
		set, l := f.rules.Load(), f.link(addr, ch)
		if !set.touches(l, out, in) {
			return nil
		}
		if start.IsZero() {
			start, there, back = time.Now(), set.lags(l, out, 1, firstRetry), set.lags(l, in, 1, firstRetry)
		}
		arrived := lateness{start, there}.due(set, l, out)
		wait := time.Until(lateness{arrived, back}.due(set, l, in))
		by := set.cut(l, out)
		if by == nil {
			by = set.cut(l, in)
		}
		switch {
		case by != nil:
			by.hit(l, out)
			wait, start = never, time.Time{}
		case wait <= 0:
			return nil
		}
		over, stop := pause(wait)
		select {
		case <-over:
		case <-set.replaced():
		case <-ctx.Done():
			stop()
			return dialError(ctx)
		case <-f.ended:
			stop()
			return net.ErrClosed
		}
		stop()
	}
}

// faultConn is a connection that this side has dialled. As long as no rule touches its link, it hands on calls. Then each
// direction has a line of what is under way, and a goroutine: one sends what was written, and one reads ahead.
type faultConn struct {
	net.Conn
	faults *Faults
	addr   string
	ch     Channel
	out    *delayLine
	in     *delayLine
	once   sync.Once
	closed chan struct{}
	// reading and writing are set while the lines decide what is read and written when.
	reading, writing atomic.Bool
	readBy, writeBy  deadline // set only while reading or writing is
	giveUp           deadline // when what was written before Close is sent no more

	mu                   sync.Mutex
	readUntil, writeTill time.Time // guarded by mu; the deadlines of the user
	sends                bool      // guarded by mu; the goroutine that sends runs

	reader sync.Mutex    // held by who reads from the line
	filled chan struct{} // guarded by reader; closed when the goroutine that reads has ended
	resign atomic.Bool   // asks it to
}

// touched reports whether there is a rule for a direction.
func (c *faultConn) touched(d direction) bool {
	set := c.faults.rules.Load()
	return set != nil && set.touches(c.faults.link(c.addr, c.ch), d)
}

// Write implements net.Conn. One that waits in the kernel when a rule is set is not called back.
func (c *faultConn) Write(b []byte) (int, error) {
	if !c.writing.Load() {
		if !c.touched(out) {
			return c.Conn.Write(b)
		}
		c.setWriting(true)
	} else if c.out.idle() && !c.touched(out) {
		c.setWriting(false)
		return c.Conn.Write(b)
	}
	if !c.send() {
		return 0, net.ErrClosed
	}
	written := 0
	for {
		select {
		case <-c.closed:
			return written, net.ErrClosed
		case <-c.writeBy.passed():
			return written, os.ErrDeadlineExceeded
		default:
		}
		n, err := c.out.put(b[written:], nil)
		if written += n; err != nil || written == len(b) {
			return written, err
		}
		if err := c.out.waitRoom(c.writeBy, c.closed); err != nil {
			return written, err
		}
	}
}

// setWriting hands the deadline for writing over: the goroutine that sends has none.
func (c *faultConn) setWriting(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on {
		_ = c.Conn.SetWriteDeadline(time.Time{})
		c.writeBy.set(c.writeTill)
	} else {
		c.writeBy.set(time.Time{})
		_ = c.Conn.SetWriteDeadline(c.writeTill)
	}
	c.writing.Store(on)
}

// send runs the goroutine that sends, once; false means that the faults are closed.
func (c *faultConn) send() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.sends {
		c.sends = c.faults.slowDown(c, c.drain)
	}
	return c.sends
}

// drain sends what the line gives, and closes the connection at last.
func (c *faultConn) drain() {
	for {
		piece, end, err := c.out.await(c.giveUp, nil)
		if err != nil || len(piece) == 0 && end != nil {
			break
		}
		n, err := c.Conn.Write(piece)
		c.out.advance(n)
		if err != nil {
			c.out.fail(err)
			select { // what the other end has sent can still be read
			case <-c.closed:
			case <-c.faults.ended:
			}
			break
		}
	}
	_ = c.Conn.Close()
	c.giveUp.set(time.Time{})
}

func (c *faultConn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// Close implements net.Conn. What was written is still sent, as a kernel does.
func (c *faultConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		close(c.closed)
		c.readBy.set(time.Time{})
		c.writeBy.set(time.Time{})
		if !c.touched(out) && c.out.idle() || !c.send() {
			err = c.Conn.Close()
			c.out.fail(net.ErrClosed)
			return
		}
		c.giveUp.set(time.Now().Add(linger))
		err = errors.Join(c.Conn.SetReadDeadline(longAgo), // ends the goroutine that reads
			c.Conn.SetWriteDeadline(time.Now().Add(linger)))
		_, _ = c.out.put(nil, net.ErrClosed)
	})
	return err
}

// SetDeadline implements net.Conn.
func (c *faultConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *faultConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return net.ErrClosed
	}
	c.readUntil = t
	if c.reading.Load() {
		c.readBy.set(t)
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (c *faultConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return net.ErrClosed
	}
	c.writeTill = t
	if c.writing.Load() {
		c.writeBy.set(t)
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}
