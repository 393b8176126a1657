package peer

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"peerlab.example/peerlab/app"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// keeper keeps the roster of the bootstrap service filled with live members, from one peer's side:
//
//   - a held peer renews its lease three times in a lease;
//   - when an old member is gone, the oldest members that are not held offer themselves.
//
// A peer cannot know who is held, other than itself, without asking. But the rules of Refill
// make the roster the oldest max_peers members, so the rank by age among the live members tells
// who is concerned: those of rank below max_peers-1+min_refill_candidates that are not held. The first
// max_peers-1 of them normally are held, which leaves min_refill_candidates calls, however
// large the group is.
type keeper struct {
	peer *Peer
	self *bootstrapv1.Peer
	wake chan struct{} // capacity 1
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	held    bool // guarded by mu
	pending bool // guarded by mu; a bootstrap peer may be gone: look
}

// startKeeper runs until close. held says how the first contact ended.
func startKeeper(p *Peer, self *bootstrapv1.Peer, held bool) *keeper {
	ctx, cancel := context.WithCancel(p.ctx)
	k := &keeper{peer: p, self: self, held: held, wake: make(chan struct{}, 1), stop: cancel, done: make(chan struct{})}
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
	if rank(k.peer.Members(), m) >= int(r.GetConfig().GetMaxPeers()) && !holds(r, m.ID) {
		return
	}
	k.mu.Lock()
	k.pending = true
	k.mu.Unlock()
	k.poke()
}

func (k *keeper) setHeld(held bool) {
	k.mu.Lock()
	k.held = held
	k.mu.Unlock()
	k.poke()
}

func (k *keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) run(ctx context.Context) {
	for {
		wait := k.peer.lastRoster().GetConfig().GetLease().AsDuration() / 3
		if wait <= 0 {
			wait = time.Second
		}
		// A tenth of jitter, so that peers that started together do not call together for ever.
		timer := time.NewTimer(wait - time.Duration(rand.Int64N(int64(wait)/10+1)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			k.renew(ctx)
		case <-k.wake:
			timer.Stop()
		}
		k.refill(ctx)
	}
}

// renew extends the lease of a held peer.
func (k *keeper) renew(ctx context.Context) {
	if !k.isHeld() {
		return
	}
	p := k.peer
	resp, err := p.deps.Bootstrap.Renew(ctx, &bootstrapv1.RenewRequest{Group: p.groupName(), Id: k.self.GetId()})
	if err != nil {
		p.log.Warn().Err(err).Msg("lease not renewed; trying again")
		return
	}
	p.sawRoster(resp.GetRoster())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = resp.GetHeld()
	// Not held any more: the roster was reset, or lost, or shrank, or the lease ended meanwhile.
	k.pending = k.pending || !k.held
}

// refill offers this peer for a place, if it is concerned and one may be free.
func (k *keeper) refill(ctx context.Context) {
	p := k.peer
	k.mu.Lock()
	due := k.pending && !k.held
	k.mu.Unlock()
	if due && p.lastRoster() == nil {
		k.join(ctx)
		return
	}
	if !due || !k.concerned() {
		return
	}
	resp, err := p.deps.Bootstrap.Refill(ctx, &bootstrapv1.RefillRequest{Group: p.groupName(), Candidate: k.self})
	if err != nil {
		p.log.Warn().Err(err).Msg("place in the roster not offered for; trying again")
		return
	}
	p.sawRoster(resp.GetRoster())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = resp.GetHeld()
	// While the roster still names somebody who is gone, a place becomes free when that lease ends.
	k.pending = !k.held && mayFree(resp.GetRoster(), p.Members())
}

// join is the first contact of a peer that started while the service was down.
func (k *keeper) join(ctx context.Context) {
	p := k.peer
	resp, err := p.deps.Bootstrap.Join(ctx, &bootstrapv1.JoinRequest{Group: p.groupName(), Peer: k.self})
	if err != nil {
		p.log.Debug().Err(err).Msg("bootstrap service still not reachable")
		return
	}
	p.sawRoster(resp.GetRoster())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held, k.pending = resp.GetHeld(), false
}

func (k *keeper) isHeld() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held
}

// concerned is the rule of ranks, above.
func (k *keeper) concerned() bool {
	members := k.peer.Members()
	c := k.peer.lastRoster().GetConfig()
	limit := int(c.GetMaxPeers()) - 1 + int(c.GetMinRefillCandidates())
	for _, m := range members {
		if m.Self {
			return rank(members, m) < limit
		}
	}
	return false
}

// rank is how many live members are older than m, which need not be live itself.
func rank(members []app.Member, m app.Member) int {
	n := 0
	for _, o := range members {
		if live(o) && o.ID != m.ID && older(o, m) {
			n++
		}
	}
	return n
}

func live(m app.Member) bool { return m.State == app.Alive || m.State == app.Suspect }

// older orders by joined_at, ties by id, as the roster does.
func older(a, b app.Member) bool {
	if !a.JoinedAt.Equal(b.JoinedAt) {
		return a.JoinedAt.Before(b.JoinedAt)
	}
	return a.ID < b.ID
}

func holds(r *bootstrapv1.Roster, id string) bool {
	for _, e := range r.GetPeers() {
		if e.GetId() == id {
			return true
		}
	}
	return false
}

// mayFree reports whether the roster has room, or names somebody who is not live in this view.
func mayFree(r *bootstrapv1.Roster, members []app.Member) bool {
	alive := map[string]bool{}
	for _, m := range members {
		alive[m.ID] = live(m)
	}
	for _, e := range r.GetPeers() {
		if !alive[e.GetId()] {
			return true
		}
	}
	return r.GetCount() < r.GetConfig().GetMaxPeers()
}
