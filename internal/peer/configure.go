package peer

import (
	"fmt"
	"strings"

	"peerlab.example/peerlab/internal/membership"
)

// Tuning are the timings of membership: those that a membership works with, or that the next one will.
func (p *Peer) Tuning() membership.Tuning {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cfg.Tuning
}

// Configure changes the timings of membership, and names the fields that have changed. Before member start, all do. While membership
// runs, some can, at once; needsRestart are those that t wants otherwise, and that stay as they were: they can
// be changed after Leave. An error means that nothing has changed. It does not wait for steps that run.
func (p *Peer) Configure(t membership.Tuning) (applied, needsRestart []string, err error) {
	if err := t.Validate(); err != nil {
		return nil, nil, err
	}
	p.tune.Lock()
	defer p.tune.Unlock()
	before := p.Tuning()
	if m := p.membership(); m != nil {
		if needsRestart, err = m.Retune(t); err != nil {
			return nil, nil, err
		}
		t = m.Tuning()
	}
	p.mu.Lock()
	p.cfg.Tuning = t
	p.mu.Unlock()
	return t.Changed(before), needsRestart, nil
}

// NeedsRestart names the fields that Configure could not give the values of t now.
func (p *Peer) NeedsRestart(t membership.Tuning) []string {
	m := p.membership()
	if m == nil {
		return nil
	}
	return m.NeedsRestart(t)
}

// restart are the steps by which a field is changed that a running membership cannot change.
const restart = "needs restart: member leave, member configure, init"

// configure is Configure as a command: fields that need a restart are an error.
func (p *Peer) configure(t membership.Tuning) error {
	applied, later, err := p.Configure(t)
	if err != nil || len(later) == 0 {
		return err
	}
	also := ""
	if len(applied) > 0 {
		also = "; in effect now: " + strings.Join(applied, ", ")
	}
	return fmt.Errorf("member configure: %s: %s%s", strings.Join(later, ", "), restart, also)
}
