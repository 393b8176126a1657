package network

import (
	"errors"
	"net"
	"os"
	"time"
)

// Read implements net.Conn.
func (c *faultConn) Read(b []byte) (int, error) {
	for {
		if c.reading.Load() {
			if n, err, done := c.readLine(b); done {
				return n, err
			}
		}
		n, err := c.Conn.Read(b)
		switch {
		case err != nil && c.isClosed():
			return n, net.ErrClosed
		case !c.touched(in), errors.Is(err, os.ErrDeadlineExceeded):
			return n, err
		}
		// A rule was set meanwhile: what has just come is the first that it holds up.
		if err := c.readAhead(b[:n], err); err != nil {
			return 0, err
		}
	}
}

// readLine reads from the line; done is false when there is no need for it any more.
func (c *faultConn) readLine(b []byte) (n int, err error, done bool) { //nolint:revive // done comes after what is returned then
	c.reader.Lock()
	defer c.reader.Unlock()
	if !c.touched(in) && c.in.idle() {
		c.stopFilling()
		if c.in.idle() {
			c.setReading(false)
			return 0, nil, false
		}
	} else if err := c.startFilling(); err != nil {
		return 0, err, true
	}
	piece, end, err := c.in.await(c.readBy, c.closed)
	switch {
	case err != nil:
		return 0, err, true
	case len(piece) == 0 && end != nil:
		return 0, end, true
	}
	n = copy(b, piece)
	c.in.advance(n)
	return n, nil, true
}

// readAhead lets the line have what was read, and all that follows.
func (c *faultConn) readAhead(first []byte, end error) error {
	c.reader.Lock()
	defer c.reader.Unlock()
	if !c.reading.Load() {
		c.setReading(true)
	}
	if _, err := c.in.put(first, end); err != nil {
		return err
	}
	return c.startFilling()
}

// setReading hands the deadline for reading over: the goroutine that reads has none.
func (c *faultConn) setReading(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on {
		_ = c.Conn.SetReadDeadline(time.Time{})
		c.readBy.set(c.readUntil)
	} else {
		c.readBy.set(time.Time{})
		_ = c.Conn.SetReadDeadline(c.readUntil)
	}
	c.reading.Store(on)
}

// startFilling runs the goroutine that reads, unless it runs or nothing more will come.
func (c *faultConn) startFilling() error {
	if c.filled != nil || c.in.ended() {
		return nil
	}
	filled := make(chan struct{})
	c.resign.Store(false)
	_ = c.Conn.SetReadDeadline(time.Time{})
	if c.isClosed() || !c.faults.slowDown(c, func() {
		defer close(filled)
		c.fill()
	}) {
		return net.ErrClosed
	}
	c.filled = filled
	return nil
}

// stopFilling ends that goroutine. What it has read is in the line.
func (c *faultConn) stopFilling() {
	if c.filled == nil {
		return
	}
	c.resign.Store(true)
	_ = c.Conn.SetReadDeadline(longAgo)
	<-c.filled
	c.filled = nil
}

// longAgo is a deadline that ends a Read at once.
var longAgo = time.Unix(1, 0)

// fill reads until the connection ends, or it is asked to resign.
func (c *faultConn) fill() {
	buf, noDeadline := make([]byte, 64<<10), newDeadline()
	for {
		n, err := c.Conn.Read(buf)
		if c.isClosed() {
			return
		}
		for rest := buf[:n]; len(rest) > 0; {
			taken, _ := c.in.put(rest, nil)
			if rest = rest[taken:]; len(rest) > 0 && c.in.waitRoom(noDeadline, c.closed) != nil {
				return
			}
		}
		switch {
		case err == nil:
		case c.resign.Load() && errors.Is(err, os.ErrDeadlineExceeded):
			return
		default:
			_, _ = c.in.put(nil, err)
			return
		}
	}
}
