package peer

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"peerlab.example/peerlab/app"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// keeper keeps the roster of the bootstrap service filled with live members, from one peer's side:
//
//   - a held peer renews its lease three times in a lease;
//   - the oldest members that are not held look as often whether a place may be free, and offer themselves;
//   - when an old member is gone, they do so at once;
//   - one that is alone, though the roster names others, looks more often: they may be back elsewhere.
//
// A peer cannot know who is held, other than itself, without asking. But the rules of Refill
// make the roster the oldest max_peers members, so the rank by age among the live members tells
// who is concerned: those of rank below max_peers-1+min_refill_candidates that are not held. The first
// max_peers-1 of them normally are held, which leaves min_refill_candidates calls, however
// large the group is. The other members ask nothing, and so learn of a larger max_peers only when they
// become concerned.
type keeper struct {
	peer *Peer
	self *bootstrapv1.Peer
	wake chan struct{} // capacity 1
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	held    bool // guarded by mu
	pending bool // guarded by mu; a place may be free
}

// startKeeper runs until close. held says how the first contact ended.
func startKeeper(p *Peer, self *bootstrapv1.Peer, held bool) *keeper {
	ctx, cancel := context.WithCancel(p.ctx)
	k := &keeper{
		peer: p, self: self, held: held, wake: make(chan struct{}, 1), stop: cancel, done: make(chan struct{}),
	}
	p.group.Go(func() error {
		defer close(k.done)
		k.run(ctx)
		return nil
	})
	return k
}

func (k *keeper) close() {
	k.stop()
	<-k.done
}

// leave gives the place in the roster back. The service is told even if this peer believes that it is
// not held: another peer's Refill or an operator may have changed that.
func (k *keeper) leave(ctx context.Context) error {
	k.close()
	p := k.peer
	resp, err := p.deps.Bootstrap.Leave(ctx, &bootstrapv1.LeaveRequest{Group: p.groupName(), Id: k.self.GetId()})
	if err != nil {
		// The lease ends the entry in any case, so that this is no reason to fail.
		p.log.Warn().Err(err).Msg("the bootstrap service was not told; the lease will end")
		return nil
	}
	p.sawRoster(resp.GetRoster())
	return nil
}

// gone is told of a member that left or was lost.
func (k *keeper) gone(m app.Member) {
	r := k.peer.lastRoster()
	if !holds(r, m.ID) && k.peer.rank(m) >= int(r.GetConfig().GetMaxPeers()) {
		return
	}
	k.mu.Lock()
	k.pending = true
	k.mu.Unlock()
	k.poke()
}

// saw takes an answer of the service.
func (k *keeper) saw(r *bootstrapv1.Roster, held bool) {
	k.peer.sawRoster(r)
	pending := !held && mayTake(k.self, r, k.peer.Members())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held, k.pending = held, pending
}

func (k *keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// First contact is tried again after a second, and then less and less often; and so is looked for others who may be in the roster now
// that nobody in it has answered.
const (
	contactFirst = time.Second
	contactMost  = 30 * time.Second
)

func (k *keeper) run(ctx context.Context) {
	contact := contactFirst
	for {
		r := k.peer.lastRoster()
		wait, early := r.GetConfig().GetLease().AsDuration()/3, false
		if r != nil && !k.lonely(r) {
			contact = contactFirst
		} else {
			early = r != nil && contact < wait
			if r == nil || early {
				wait = contact
			}
			contact = min(2*contact, contactMost)
		}
		// A tenth of jitter, so that peers that started together do not call together for ever.
		timer := time.NewTimer(wait - time.Duration(rand.Int64N(int64(wait)/10+1)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			if early && !k.lonely(k.peer.lastRoster()) {
				continue // others have come
			}
			k.look(ctx)
		case <-k.wake:
			timer.Stop()
		}
		k.refill(ctx)
	}
}

// lonely reports whether the roster names others, and none of them is there.
func (k *keeper) lonely(r *bootstrapv1.Roster) bool {
	named := slices.ContainsFunc(r.GetPeers(), func(e *bootstrapv1.Peer) bool { return e.GetId() != k.self.GetId() })
	return named && k.peer.number(func(m app.Member) bool { return m.Live() && m.ID != k.self.GetId() }) == 0
}

// look asks the service how things are: a held peer renews its lease, one that is concerned lists the roster,
// and one that has never reached the service joins.
func (k *keeper) look(ctx context.Context) {
	p, group := k.peer, k.peer.groupName()
	var r *bootstrapv1.Roster
	var held bool
	var err error
	switch {
	case p.lastRoster() == nil:
		var resp *bootstrapv1.JoinResponse
		resp, err = p.enroll(ctx, k.self)
		r, held = resp.GetRoster(), resp.GetHeld()
	case k.isHeld():
		var resp *bootstrapv1.RenewResponse
		resp, err = p.deps.Bootstrap.Renew(ctx, &bootstrapv1.RenewRequest{Group: group, Id: k.self.GetId()})
		r, held = resp.GetRoster(), resp.GetHeld()
	case k.concerned():
		var resp *bootstrapv1.ListResponse
		resp, err = p.deps.Bootstrap.List(ctx, &bootstrapv1.ListRequest{Group: group})
		r, held = resp.GetRoster(), holds(resp.GetRoster(), k.self.GetId())
	default:
		return
	}
	if err != nil {
		p.log.Warn().Err(err).Msg("bootstrap service not reached; trying again")
		return
	}
	k.saw(r, held)
}

// refill offers this peer for a place, if it is concerned and one may be free.
func (k *keeper) refill(ctx context.Context) {
	p := k.peer
	k.mu.Lock()
	due := k.pending && !k.held
	k.mu.Unlock()
	if !due || !k.concerned() {
		return
	}
	resp, err := p.deps.Bootstrap.Refill(ctx, &bootstrapv1.RefillRequest{Group: p.groupName(), Candidate: k.self})
	if err != nil {
		p.log.Warn().Err(err).Msg("place in the roster not offered for; trying again")
		return
	}
	k.saw(resp.GetRoster(), resp.GetHeld())
}

func (k *keeper) isHeld() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held
}

// concerned is the rule of ranks, above.
func (k *keeper) concerned() bool {
	m := k.peer.membership()
	if m == nil {
		return false
	}
	c := k.peer.lastRoster().GetConfig()
	return k.peer.rank(m.Self()) < int(c.GetMaxPeers())-1+int(c.GetMinRefillCandidates())
}

// rank is how many live members are older than m, which need not be live itself.
func (p *Peer) rank(m app.Member) int {
	return p.number(func(o app.Member) bool { return o.Live() && o.ID != m.ID && older(o, m) })
}

// older orders by joined_at, ties by id, as the roster does.
func older(a, b app.Member) bool {
	if !a.JoinedAt.Equal(b.JoinedAt) {
		return a.JoinedAt.Before(b.JoinedAt)
	}
	return a.ID < b.ID
}

func holds(r *bootstrapv1.Roster, id string) bool { return entryOf(r, id) != nil }

// mayTake reports whether a Refill of self can change the roster, now or when a lease has ended: it has room, it names
// somebody who is not live in this view, or its newest entry is newer than self.
func mayTake(self *bootstrapv1.Peer, r *bootstrapv1.Roster, members []app.Member) bool {
	alive := map[string]bool{}
	for _, m := range members {
		alive[m.ID] = m.Live()
	}
	for _, e := range r.GetPeers() {
		if !alive[e.GetId()] || self.GetJoinedAt().AsTime().Before(e.GetJoinedAt().AsTime()) {
			return true
		}
	}
	return r.GetCount() < r.GetConfig().GetMaxPeers()
}
