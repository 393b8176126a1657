package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// maxRules is how many faults a peer has at a time; each costs a little for each message.
const maxRules = 256

// Faults is a network with faults: what its user sends over it, and receives, passes the rules that are set. It may be used by
// several goroutines, and rules may change at any time. Without rules it costs a look at an atomic variable.
//
// Who enforces a rule: packets are delayed, lost, copied and held back by their sender, and a partition is kept by
// the receiver too, by the address of the sender. Connections are in the hands of the side that dialled, in both directions, since the
// port at the other end of an accepted connection names nobody. So a rule that both ends of a link have acts once.
// Accepted connections are those of the inner network, and so is all that is sent through it directly.
type Faults struct {
	inner Network
	seed  uint64
	rules atomic.Pointer[ruleSet] // nil when there are none
	names atomic.Pointer[naming]
	ended chan struct{} // closed by Close
	wg    sync.WaitGroup

	mu     sync.Mutex
	active []*activeRule      // guarded by mu; the oldest first
	lastID int                // guarded by mu
	closed bool               // guarded by mu
	slow   map[*faultConn]int // guarded by mu; connections that have goroutines, and how many
}

var _ Network = (*Faults)(nil)

// naming says who is where.
type naming struct {
	self    string
	resolve func(addr string) string
	changed func(r Rule, active bool)
}

// ruleSet are the rules at one time. It is never changed, but replaced.
type ruleSet struct {
	rules   []*activeRule
	changed chan struct{} // closed when this set is replaced
}

// NewFaults returns the network without faults. What is drawn by chance depends on the seed, on the name of the peer, and on
// the link and channel; so all peers of a lab may have one seed. Close it after all that uses it.
func NewFaults(inner Network, seed uint64) *Faults {
	f := &Faults{inner: inner, seed: seed, ended: make(chan struct{}), slow: make(map[*faultConn]int)}
	f.Bind("", func(string) string { return "" }, nil)
	return f
}

// Bind tells who this peer is, and how names are found: resolve gives the name of who has an address (host:port, as dialled or as
// packets come from it), or "". It is called for each message while there are rules, by several goroutines, and must not block. changed, which
// may be nil, is called for each rule that is set or lifted, in order; it must not block, and must not call Faults.
// The rules in effect and what they have drawn stay.
func (f *Faults) Bind(self string, resolve func(addr string) string, changed func(r Rule, active bool)) {
	f.names.Store(&naming{self: self, resolve: resolve, changed: changed})
}

var (
	// ErrNoFault is that there is no rule of that id.
	ErrNoFault = errors.New("no such fault")
	// ErrTooManyFaults is that of one rule more than a peer can have.
	ErrTooManyFaults = errors.New("too many faults")
	// ErrFaultsClosed is that of a rule that is set after Close.
	ErrFaultsClosed = errors.New("faults are closed")
)

// Set adds a rule, or replaces the one with its id. It returns the rule with its id.
func (f *Faults) Set(r Rule) (Rule, error) {
	if err := r.Validate(); err != nil {
		return Rule{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return Rule{}, ErrFaultsClosed
	}
	at := f.index(r.ID)
	if at < 0 && len(f.active) >= maxRules {
		return Rule{}, fmt.Errorf("%w: there are %d, which is the most; first: fault heal", ErrTooManyFaults, maxRules)
	}
	a := newActiveRule(r, f.seed)
	if r.ID == "" {
		a.numbered = true
		a.ID = f.nextID()
	}
	if r.For > 0 {
		a.until = time.Now().Add(r.For)
		f.wg.Add(1)
		a.timer = time.AfterFunc(r.For, func() {
			defer f.wg.Done()
			f.lift(a)
		})
	}
	next := slices.Clone(f.active)
	if at >= 0 {
		f.stopTimer(next[at])
		f.tell(next[at], false)
		next = slices.Delete(next, at, at+1)
	}
	f.use(append(next, a))
	f.tell(a, true)
	return a.Rule, nil
}

// nextID is a number that no rule has. The lock is held.
func (f *Faults) nextID() string {
	for {
		f.lastID++
		if id := strconv.Itoa(f.lastID); f.index(id) < 0 {
			return id
		}
	}
}

// index is where the rule of that id stands, or -1. The lock is held.
func (f *Faults) index(id string) int {
	return slices.IndexFunc(f.active, func(a *activeRule) bool { return a.ID == id })
}

// Heal lifts the rule of that id; ErrNoFault if there is none.
func (f *Faults) Heal(id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.index(id)
	if at < 0 {
		return fmt.Errorf("%w: %q", ErrNoFault, id)
	}
	f.remove(f.active[at])
	return nil
}

// HealAll lifts all rules, and returns how many there were.
func (f *Faults) HealAll() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.active)
	f.remove(slices.Clone(f.active)...)
	return n
}

// HealLink lifts all faults between two, by name, in both directions, and returns how many rules that changed. A rule that is for
// other links too is replaced by one that excepts this link.
func (f *Faults) HealLink(a, b string) (int, error) {
	if a == b || checkFaultName(a) != nil || checkFaultName(b) != nil || a == Others || b == Others {
		return 0, fmt.Errorf("%q and %q are not the names of two", a, b)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	next := slices.Clone(f.active)
	n := 0
	for i, old := range f.active {
		if !old.crosses(a, b) && !old.crosses(b, a) {
			continue
		}
		n++
		next[i] = nil
		if left, ok := old.without(a, b); ok {
			if err := left.Validate(); err != nil {
				return 0, err
			}
			next[i] = old.with(left)
		}
	}
	if n == 0 {
		return 0, nil
	}
	before := f.active
	f.use(slices.DeleteFunc(slices.Clone(next), func(a *activeRule) bool { return a == nil }))
	for i, old := range before {
		if next[i] == old {
			continue
		}
		f.tell(old, false)
		if next[i] != nil {
			f.tell(next[i], true)
		} else {
			f.stopTimer(old)
		}
	}
	return n, nil
}

// lift ends a rule whose time is up, in whatever form HealLink has left it.
func (f *Faults) lift(a *activeRule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, now := range f.active {
		if now.linkStates == a.linkStates {
			now.timer = nil
			f.remove(now)
			return
		}
	}
}

// remove lifts rules. The lock is held.
func (f *Faults) remove(rules ...*activeRule) {
	next := slices.DeleteFunc(slices.Clone(f.active), func(a *activeRule) bool { return slices.Contains(rules, a) })
	f.use(next)
	for _, a := range rules {
		f.stopTimer(a)
		f.tell(a, false)
	}
}

// stopTimer ends the wait for the end of a rule. The lock is held.
func (f *Faults) stopTimer(a *activeRule) {
	if a.timer != nil && a.timer.Stop() {
		f.wg.Done()
	}
}

// use replaces the rules, and wakes who waits. The lock is held.
func (f *Faults) use(rules []*activeRule) {
	old := f.rules.Load()
	f.active = rules
	var set *ruleSet
	if len(rules) > 0 {
		set = &ruleSet{rules: rules, changed: make(chan struct{})}
	}
	f.rules.Store(set)
	if old != nil {
		close(old.changed)
	}
}

// tell reports a change. The lock is held, so that changes are told in order.
func (f *Faults) tell(a *activeRule, active bool) {
	if changed := f.names.Load().changed; changed != nil {
		changed(a.told(), active)
	}
}

// List are the rules that are set, the oldest first, with what they have done.
func (f *Faults) List() []FaultStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]FaultStatus, len(f.active))
	for i, a := range f.active {
		out[i] = a.status()
	}
	return out
}

// Close ends the connections that faults have slowed down, waits for all goroutines, and lifts all rules. What a fault holds is
// lost. The network goes on without faults.
func (f *Faults) Close() error {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.ended)
	}
	for _, a := range f.active {
		f.stopTimer(a)
	}
	var open []*faultConn
	for c := range f.slow {
		open = append(open, c)
	}
	f.mu.Unlock()
	for _, c := range open {
		_ = c.Conn.Close()
	}
	f.wg.Wait()
	f.HealAll() // only now, so that nothing slips through at the end
	return nil
}

// run runs a goroutine that Close waits for; false means that there are no more.
func (f *Faults) run(do func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.wg.Go(do)
	return true
}

// slowDown runs a goroutine of a connection, which Close ends by closing the connection.
func (f *Faults) slowDown(c *faultConn, do func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.slow[c]++
	f.wg.Go(func() {
		defer func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.slow[c]--; f.slow[c] == 0 {
				delete(f.slow, c)
			}
		}()
		do()
	})
	return true
}

// link is who is at the other end of an address, on one channel.
func (f *Faults) link(addr string, ch Channel) link {
	n := f.names.Load()
	return link{self: n.self, name: n.resolve(addr), addr: addr, ch: ch}
}

// Listen implements Network. Faults of a connection are in the hands of who dials.
func (f *Faults) Listen(ctx context.Context, ch Channel, addr string) (net.Listener, error) {
	return f.inner.Listen(ctx, ch, addr)
}
