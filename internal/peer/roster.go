package peer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// Retries of the first contact wait from retryFirst up to retryMost, doubling, with jitter.
const (
	retryFirst = 200 * time.Millisecond
	retryMost  = 5 * time.Second
)

// bootstrapJoin registers at the bootstrap service, for as long as it takes. Without a service, or
// while it cannot be reached and members of an earlier start are remembered, the peer goes on without.
func (p *Peer) bootstrapJoin(ctx context.Context, say Progress) error {
	if p.deps.Bootstrap == nil {
		return nil
	}
	self, err := p.self()
	if err != nil {
		return fmt.Errorf("bootstrap join: %w", err)
	}
	if p.cfg.BootstrapTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, p.cfg.BootstrapTimeout, ErrBootstrapTimeout)
		defer cancel()
	}
	defer p.steps.unreached.Store(false)
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		resp, err := p.enroll(ctx, self)
		if err == nil {
			p.keep(self, resp.GetRoster(), resp.GetHeld())
			return nil
		}
		if known := p.remembered(); len(known) > 0 && !p.isJoined() && unreachable(err) {
			say("bootstrap service %s is not reachable (%s); using %d remembered addresses", p.cfg.BootstrapAddr, reason(err), len(known))
			p.keep(self, nil, false) // and join when the service is back
			return nil
		}
		if ctx.Err() == nil && unreachable(err) {
			p.steps.unreached.Store(true)
			pause := wait/2 + time.Duration(rand.Int64N(int64(wait)))
			say("bootstrap service %s is not reachable (%s); trying again in %s",
				p.cfg.BootstrapAddr, reason(err), pause.Round(time.Millisecond))
			if sleep(ctx, pause) == nil {
				continue
			}
		}
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("bootstrap join at %s: %w", p.cfg.BootstrapAddr, cause)
		}
		return fmt.Errorf("bootstrap join at %s: %s", p.cfg.BootstrapAddr, reason(err))
	}
}

// keep takes the answer to the first contact over, or none, and keeps the roster from now on.
func (p *Peer) keep(self *bootstrapv1.Peer, r *bootstrapv1.Roster, held bool) {
	if r != nil {
		p.sawRoster(r)
	}
	p.mu.Lock()
	k := p.keeper
	if k == nil {
		p.keeper = startKeeper(p, self, held)
	}
	p.mu.Unlock()
	if k != nil && r != nil {
		k.saw(r, held)
	}
}

// sawRoster remembers a roster that the service sent, and logs it when it is new.
func (p *Peer) sawRoster(r *bootstrapv1.Roster) {
	p.mu.Lock()
	old := p.roster
	p.roster = r
	p.mu.Unlock()
	p.places.sawRoster(r)
	if old != nil && old.GetRevision() == r.GetRevision() {
		return
	}
	e := &eventv1.Roster{Group: r.GetGroup(), Revision: r.GetRevision(), Size: r.GetCount(), MaxPeers: r.GetConfig().GetMaxPeers()}
	for _, held := range r.GetPeers() {
		e.Peers = append(e.Peers, held.GetName())
	}
	p.deps.Events.Emit(&eventv1.Event{What: &eventv1.Event_Roster{Roster: e}})
	p.remember()
}

// rosterAddrs are the gossip addresses in the roster, without this peer's own.
func (p *Peer) rosterAddrs() []string {
	own := ""
	if m := p.membership(); m != nil {
		own = m.Addr()
	}
	var out []string
	for _, e := range p.lastRoster().GetPeers() {
		if addr := entryAddr(e); addr != own {
			out = append(out, addr)
		}
	}
	return out
}

// seeds are the addresses at which a split may be healed: those of the roster, and the remembered.
func (p *Peer) seeds() []string {
	out := append(p.rosterAddrs(), p.remembered()...)
	slices.Sort(out)
	return slices.Compact(out)
}

// entryAddr is the gossip address of an entry of the roster.
func entryAddr(e *bootstrapv1.Peer) string {
	return net.JoinHostPort(e.GetHost(), strconv.Itoa(int(e.GetPort())))
}

// rosterEntry is a member as an entry of the roster.
func rosterEntry(m app.Member) (*bootstrapv1.Peer, error) {
	host, port, err := net.SplitHostPort(m.Addr)
	if err != nil {
		return nil, fmt.Errorf("gossip address %q: %w", m.Addr, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("gossip address %q: %w", m.Addr, err)
	}
	return &bootstrapv1.Peer{
		Id: m.ID, Name: m.Name, Host: host, Port: uint32(n), Protocol: "memberlist", JoinedAt: timestamppb.New(m.JoinedAt),
	}, nil
}

// unreachable reports whether an error says that there was no answer, as opposed to a refusal.
func unreachable(err error) bool {
	c := status.Code(err)
	return c == codes.Unavailable || c == codes.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded)
}

// reason is what an error of a call says, without what gRPC puts around it.
func reason(err error) string {
	return node.Reason(status.Convert(err).Message())
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
