package membership

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"peerlab.example/peerlab/app"
)

// maxAhead is how far the stamp of another member may be ahead of this peer's clock. Without a bound, one peer
// whose clock is a year ahead would draw the clocks of all others with it, and win every write for a year. Five minutes
// is what Kerberos allows clocks to differ. A stamp refused today is taken when its time has come.
const maxAhead = 5 * time.Minute

// Clock is a hybrid logical clock (Kulkarni et al. 2014): its stamps follow the wall clock, and where that
// stands still, goes back or is behind that of another member, a counter. It is safe for concurrent use.
type Clock struct {
	skew atomic.Int64 // nanoseconds

	mu      sync.Mutex
	wall    int64  // guarded by mu; of the largest stamp given or seen
	logical uint32 // guarded by mu
}

// NewClock is a clock that has seen nothing. A peer keeps one for as long as it runs, also when it leaves and comes back.
func NewClock() *Clock { return &Clock{} }

// Now is the time of the wall clock, as wrong as Skew has set it.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.skew.Load())) }

// Skew sets the wall clock so far ahead of the true time, or behind: a fault on purpose.
func (c *Clock) Skew(d time.Duration) { c.skew.Store(int64(d)) }

// Stamp is new, in the name of the member, and larger than all that were given or seen.
func (c *Clock) Stamp(node string) app.Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch now := c.Now().UnixNano(); {
	case now > c.wall:
		c.wall, c.logical = now, 0
	case c.logical == math.MaxUint32:
		c.wall, c.logical = c.wall+1, 0
	default:
		c.logical++
	}
	return app.Stamp{Wall: c.wall, Logical: c.logical, Node: node}
}

// observe takes in the stamp of another member. It reports false, and changes nothing, when the stamp is too far ahead.
func (c *Clock) observe(s app.Stamp) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Wall > c.Now().Add(maxAhead).UnixNano() {
		return false
	}
	if s.Wall > c.wall || s.Wall == c.wall && s.Logical > c.logical {
		c.wall, c.logical = s.Wall, s.Logical
	}
	return true
}
