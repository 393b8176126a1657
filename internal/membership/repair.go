package membership

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// repair says when a full sync is due that memberlist would not do by itself: when a member's
// set of live members, or its data, differs from ours and stays so, somebody has missed a message, and memberlist
// would repair that only with its next full sync, half a minute or more later.
type repair struct {
	tuning func() Tuning
	ask    chan string // names of nodes to sync with; one waits
	syncs  atomic.Uint64
	heals  atomic.Uint64

	// Only the goroutine that owns the view uses these. There are two, so that data on which members cannot agree, as
	// when a member has no room for them, do not slow down the repair of the view.
	members, data doubt
}

// doubt is how long answers have differed, in one regard.
type doubt struct {
	differing int // answers in a row that differed
	useless   int // syncs since an answer was last the same
	last      time.Time
}

const (
	// differingMost is after how many differing answers in a row a sync is due. A node that misses
	// a member differs from all others, who differ only from that node: so mostly the one that
	// needs it asks.
	differingMost = 2
	// patienceMost is after how many a sync is due although the set changes all the time.
	patienceMost = 10
	// uselessMost bounds the backoff after syncs that did not help: 2^5 times SyncInterval.
	uselessMost = 5
)

func newRepair(tuning func() Tuning) *repair {
	return &repair{tuning: tuning, ask: make(chan string, 1)}
}

// pinged takes in an answered probe. quiet is how long our own set of members has not changed; of the data, those
// are compared that have not changed for a while.
func (r *repair) pinged(node string, p ping, quiet time.Duration) {
	t := r.tuning()
	unrest := quiet < 2*t.GossipInterval
	if r.members.due(p.differs, unrest, t.SyncInterval) || r.data.due(p.dataDiffers, false, t.SyncInterval) {
		r.sync(node)
	}
}

// due takes in whether an answer differed, and reports whether a sync is due.
func (d *doubt) due(differs, unrest bool, interval time.Duration) bool {
	if !differs {
		d.differing, d.useless = 0, 0
		return false
	}
	d.differing++
	if d.differing < differingMost || unrest && d.differing < patienceMost {
		return false
	}
	return time.Since(d.last) >= interval<<d.useless
}

// sync asks for a sync with the node, unless one waits already. It does for both doubts.
func (r *repair) sync(node string) {
	select {
	case r.ask <- node:
	default:
		return
	}
	for _, d := range []*doubt{&r.members, &r.data} {
		if d.differing >= differingMost {
			d.last = time.Now()
			d.useless = min(d.useless+1, uselessMost)
		}
	}
}

// syncWhenAsked does the full syncs that repair asks for, one at a time.
func (n *Node) syncWhenAsked() {
	for {
		select {
		case node := <-n.repair.ask:
			// Many nodes may have seen the same difference at once.
			if !n.sleep(n.ctx, jitter(n.Tuning().SyncInterval/4)) {
				return
			}
			addr := n.view.addrOf(node)
			if addr == "" {
				continue
			}
			n.repair.syncs.Add(1)
			if err := n.pushPull(addr); err != nil {
				n.log.Debug().Err(err).Msg("sync with a member that sees other members")
			}
		case <-n.ctx.Done():
			return
		}
	}
}

func (v *view) addrOf(node string) string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if e := v.entries[node]; e != nil && e.listed {
		return e.Addr
	}
	return ""
}

const (
	// healAtOnce is how many addresses one node tries in a round.
	healAtOnce = 2
	// healGroup is how many attempts the group together makes in a round for each address that is
	// missing: of many members, few try.
	healGroup = 3
)

// heal tries to reach lost members and seeds, with backoff and jitter, for as long as there are any.
func (n *Node) heal() {
	wait := n.Tuning().HealInterval
	var before []string
	for n.sleep(n.ctx, wait/2+jitter(wait/2)) {
		targets, live := n.missing()
		if slices.Equal(targets, before) {
			wait = min(wait*3/2, n.Tuning().HealMax)
		} else {
			wait = n.Tuning().HealInterval
		}
		before = targets
		if rand.Float64()*float64(live) >= float64(healGroup*len(targets)) {
			continue
		}
		n.tryOnce(slices.Clone(targets))
	}
}

// missing are the addresses at which members are wanted and none is known, sorted, and how many are live.
func (n *Node) missing() (addrs []string, live int) {
	if !n.seeking.Load() {
		return nil, 1
	}
	lost, live := n.view.wanted()
	for _, a := range n.others(append(lost, n.cfg.Seeds()...)) {
		if !n.view.listedAt(a) {
			addrs = append(addrs, a)
		}
	}
	slices.SortFunc(addrs, strings.Compare)
	return addrs, live
}

// tryOnce tries some of the addresses and waits for the outcome.
func (n *Node) tryOnce(addrs []string) {
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	var wg sync.WaitGroup
	for _, a := range addrs[:min(healAtOnce, len(addrs))] {
		n.repair.heals.Add(1)
		wg.Go(func() {
			if err := n.pushPull(a); err != nil {
				n.log.Debug().Err(err).Msg("looking for a lost member")
			} else {
				n.log.Info().Str("addr", a).Msg("found a member again")
			}
		})
	}
	wg.Wait()
}

// maxSuspicion is twice the longest time that memberlist keeps a member suspect.
func (n *Node) maxSuspicion() time.Duration {
	t := n.Tuning()
	members := max(1, math.Log10(max(1, float64(n.digest.members()))))
	return time.Duration(2 * members * float64(n.suspicion.Load()) * float64(t.ProbeInterval))
}

func jitter(d time.Duration) time.Duration { return rand.N(max(d, 1)) }
