package peer

import (
	"cmp"
	"context"
	"time"

	"peerlab.example/peerlab/internal/network"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// formerWithin is how long the address of the former start has to refuse a connection. It was one of this machine, which does so at once.
const formerWithin = time.Second

// enroll asks for a place in the roster. Where the former start of this peer, which crashed, still has one until its lease ends, that is
// given up first: after a crash of all that the roster names, those that start again at other ports would not find each other before.
func (p *Peer) enroll(ctx context.Context, self *bootstrapv1.Peer) (*bootstrapv1.JoinResponse, error) {
	req := &bootstrapv1.JoinRequest{Group: p.groupName(), Peer: self}
	resp, err := p.deps.Bootstrap.Join(ctx, req)
	if err != nil {
		return nil, err
	}
	if id := p.formerID(); id != self.GetId() && p.isDead(ctx, entryOf(resp.GetRoster(), id)) {
		if _, err := p.deps.Bootstrap.Leave(ctx, &bootstrapv1.LeaveRequest{Group: req.GetGroup(), Id: id}); err != nil {
			p.log.Warn().Err(err).Msg("the place of the former start is not given up; its lease will end")
		} else if resp, err = p.deps.Bootstrap.Join(ctx, req); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	p.enrolled = self.GetId()
	p.mu.Unlock()
	if p.isJoined() {
		p.settleIn()
	}
	return resp, nil
}

// settleIn has the id remembered with which this peer has asked for a place, now that it is a member: one that is refused, since another of its
// name lives, must not take that one's place in what both remember.
func (p *Peer) settleIn() {
	p.mu.Lock()
	p.former = cmp.Or(p.enrolled, p.former)
	p.mu.Unlock()
	p.remember()
}

func (p *Peer) formerID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.former
}

// entryOf is the entry of an id, or nil.
func entryOf(r *bootstrapv1.Roster, id string) *bootstrapv1.Peer {
	for _, e := range r.GetPeers() {
		if e.GetId() == id {
			return e
		}
	}
	return nil
}

// isDead reports whether it is certain that nobody listens at the address of an entry any more. Another process of the same
// name, which has the same memory, may well live: its place must stay, so that this one finds it and is refused.
func (p *Peer) isDead(ctx context.Context, e *bootstrapv1.Peer) bool {
	if e == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, formerWithin)
	defer cancel()
	conn, err := p.faults.Dial(ctx, network.Streams, entryAddr(e))
	if err == nil {
		_ = conn.Close()
	}
	return network.Refused(err)
}
