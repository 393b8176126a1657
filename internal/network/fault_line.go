package network

import (
	"math"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// lineBytes is how much of a connection is under way in one direction before its writer waits: the default limit
	// of Linux for what a socket holds to be sent (the third value of net.ipv4.tcp_wmem).
	lineBytes = 4 << 20
	// resend is after what time a lost segment is sent again: Linux's shortest retransmission timeout (TCP_RTO_MIN). It
	// doubles with each further loss of the same (RFC 6298, section 5.5), up to resendMost times.
	resend     = 200 * time.Millisecond
	resendMost = 8
	// segment is how many bytes of TCP go in one packet over Ethernet.
	segment = 1460
	// pieces is how many pieces per second a connection of limited bandwidth is cut into, so that it flows.
	pieces = 50
)

// chunk is what was put into a line at one time.
type chunk struct {
	data    []byte
	late    lateness
	granted int       // how many bytes the bandwidth has let pass, or will at grant
	grant   time.Time // zero when nothing is granted yet
	under   *ruleSet  // the rules that granted
	stuck   bool      // it was counted that a partition held it
}

// delayLine holds the bytes of one direction of a connection until they may pass. What is late holds up all behind it, so that
// nothing overtakes. One at a time takes from it.
type delayLine struct {
	conn *faultConn
	dir  direction

	mu     sync.Mutex
	chunks []*chunk      // guarded by mu
	bytes  int           // guarded by mu
	end    error         // guarded by mu; what comes after all chunks
	endIs  lateness      // guarded by mu
	err    error         // guarded by mu; what putting gets from now on
	moved  chan struct{} // guarded by mu; closed and replaced at each change
}

func newDelayLine(c *faultConn, d direction) *delayLine {
	return &delayLine{conn: c, dir: d, moved: make(chan struct{})}
}

// put takes what there is room for, and an end, if there is one.
func (l *delayLine) put(b []byte, end error) (int, error) {
	set, to := l.conn.faults.rules.Load(), l.conn.faults.link(l.conn.addr, l.conn.ch)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, l.err
	}
	n := min(len(b), lineBytes-l.bytes)
	if n == 0 && end == nil {
		return 0, nil
	}
	late := lateness{from: time.Now(), lags: set.lags(to, l.dir, n, resend)}
	if n > 0 {
		l.chunks = append(l.chunks, &chunk{data: append([]byte(nil), b[:n]...), late: late})
		l.bytes += n
	}
	if end != nil && l.end == nil {
		l.end, l.endIs = end, late
	}
	l.signal()
	return n, nil
}

// fail lets putting fail from now on.
func (l *delayLine) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
	l.signal()
}

// idle reports whether nothing is under way.
func (l *delayLine) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes == 0 && l.end == nil && l.err == nil
}

// ended reports whether an end was put in.
func (l *delayLine) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end != nil
}

// advance removes bytes that have passed.
func (l *delayLine) advance(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.chunks[0]
	c.data = c.data[n:]
	c.granted -= n
	if c.granted <= 0 {
		c.grant = time.Time{}
	}
	if len(c.data) == 0 {
		l.chunks[0] = nil
		l.chunks = l.chunks[1:]
	}
	l.bytes -= n
	l.signal()
}

// signal wakes who waits. The lock is held.
func (l *delayLine) signal() {
	close(l.moved)
	l.moved = make(chan struct{})
}

// waitRoom waits until there is room for more.
func (l *delayLine) waitRoom(by deadline, closed <-chan struct{}) error {
	l.mu.Lock()
	moved, full := l.moved, l.bytes >= lineBytes && l.err == nil
	l.mu.Unlock()
	if !full {
		return nil
	}
	select {
	case <-moved:
		return nil
	case <-closed:
	case <-by.passed():
		return os.ErrDeadlineExceeded
	case <-l.conn.faults.ended:
	}
	return net.ErrClosed
}

// await waits until some bytes may pass, and gives them; or the end, when that may. The bytes stay in the line until advance.
func (l *delayLine) await(by deadline, closed <-chan struct{}) (piece []byte, end, err error) {
	for {
		select {
		case <-by.passed():
			return nil, nil, os.ErrDeadlineExceeded
		case <-closed:
			return nil, nil, net.ErrClosed
		default:
		}
		set := l.conn.faults.rules.Load()
		piece, end, wait, moved := l.look(set)
		if piece != nil || end != nil {
			return piece, end, nil
		}
		over, stop := pause(wait)
		select {
		case <-over:
		case <-moved:
		case <-set.replaced():
		case <-by.passed(): // or is changed: passed is asked anew
		case <-closed:
		case <-l.conn.faults.ended:
			return nil, nil, net.ErrClosed
		}
		stop()
	}
}

// look gives what may pass now, or says how long nothing does unless something changes.
func (l *delayLine) look(set *ruleSet) (piece []byte, end error, wait time.Duration, moved <-chan struct{}) { //nolint:revive // the end is no outcome
	to := l.conn.faults.link(l.conn.addr, l.conn.ch)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.chunks) == 0 && l.end == nil {
		return nil, l.err, never, l.moved
	}
	late := l.endIs
	var head *chunk
	if len(l.chunks) > 0 {
		head = l.chunks[0]
		late = head.late
	}
	if set.touches(to, l.dir) {
		if by := set.cut(to, l.dir); by != nil {
			if head != nil && !head.stuck {
				head.stuck = true
				by.hit(to, l.dir)
			}
			return nil, nil, never, l.moved
		}
		if wait := time.Until(late.due(set, to, l.dir)); wait > 0 {
			return nil, nil, wait, l.moved
		}
		if head != nil {
			if wait := head.take(set, to, l.dir); wait > 0 {
				return nil, nil, wait, l.moved
			}
			return head.data[:head.granted], nil, 0, nil
		}
	}
	if head != nil {
		return head.data, nil, 0, nil
	}
	return nil, l.end, 0, nil
}

// take asks the bandwidth for the next piece, and says how long it is not granted.
func (c *chunk) take(set *ruleSet, to link, d direction) time.Duration {
	if c.grant.IsZero() || c.under != set {
		c.under, c.grant, c.granted = set, time.Now(), len(c.data)
		set.each(to, d, func(a *activeRule) bool {
			if a.Kind == Bandwidth {
				c.granted = min(c.granted, max(int(min(a.BytesPerSecond/pieces, lineBytes)), segment))
			}
			return true
		})
		set.each(to, d, func(a *activeRule) bool {
			if a.Kind == Bandwidth {
				if passed, _ := a.pace(to, d, c.granted, 0); passed.After(c.grant) {
					c.grant = passed
				}
			}
			return true
		})
	}
	return time.Until(c.grant)
}

// lag is how late a rule makes something.
type lag struct {
	rule *linkStates // the same for all forms of a rule
	time time.Duration
}

// lateness is when something was put into a line, and by what it is late.
type lateness struct {
	from time.Time
	lags []lag
}

// due is when it may pass: a rule that was lifted meanwhile holds nothing up.
func (t lateness) due(s *ruleSet, l link, d direction) time.Time {
	due := t.from
	if len(t.lags) > 0 {
		s.each(l, d, func(a *activeRule) bool {
			for _, by := range t.lags {
				if by.rule == a.linkStates {
					due = due.Add(by.time)
				}
			}
			return true
		})
	}
	return due
}

// lags are how late n bytes of a connection are: by latencies, and by losses. timeout is that of the first retransmission.
func (s *ruleSet) lags(l link, d direction, n int, timeout time.Duration) []lag {
	var lags []lag
	s.each(l, d, func(a *activeRule) bool {
		switch {
		case a.Kind == Latency:
			lags = append(lags, lag{a.linkStates, a.delay(l, d)})
		case a.Kind == Loss && a.Percent < 100:
			// The chunk is late when any of its segments is lost; then that one segment may be lost again.
			share := a.Percent / 100
			lost := 1 - math.Pow(1-share, math.Ceil(float64(n)/segment))
			late := time.Duration(0)
			for again := range resendMost {
				if !a.drawn(l, d, lost) {
					break
				}
				late += timeout << again
				lost = share
			}
			if late > 0 {
				lags = append(lags, lag{a.linkStates, late})
			}
		}
		return true
	})
	return lags
}
