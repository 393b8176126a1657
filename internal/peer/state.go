package peer

import (
	"fmt"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/membership"
)

// state is how far this peer has come, in the words of the steps.
func (p *Peer) state() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.members == nil:
		return "configured"
	case !p.started:
		return "created"
	case p.members.TransportDown():
		return "transport shut down"
	case !p.joined:
		return "started"
	}
	return "joined"
}

// reached is the result of a step: the state, and what else there is to know.
func (p *Peer) reached(more ...app.Field) app.Record {
	return append(app.Record{{Name: "state", Value: p.state()}}, more...)
}

// runningMembership is that of a peer whose membership runs and can be heard; what is the command that needs it.
func (p *Peer) runningMembership(what string) (*membership.Node, error) {
	p.mu.Lock()
	m, started := p.members, p.started
	p.mu.Unlock()
	switch {
	case m == nil || !started:
		return nil, fmt.Errorf("%s: membership does not run yet; first: member start (or init)", what)
	case m.TransportDown():
		return nil, fmt.Errorf("%s: the transport is shut down; first: member leave (or member shutdown)", what)
	}
	return m, nil
}
