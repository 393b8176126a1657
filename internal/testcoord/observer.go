package testcoord

import (
	"cmp"
	"time"

	"peerlab.example/peerlab/internal/invariant"
)

// Observer is told what happens in a run while it happens, for those who show it. Its methods are called under locks of
// the coordinator: they must return at once and must not call the coordinator. Those for peers are called in order and one
// at a time, and so are those for steps; one of each may be called at the same time.
type Observer interface {
	// RunBegins tells when the axis begins that all other times are on. Of peers that have attached before, lives and
	// events follow at once; those have times below zero.
	RunBegins(start time.Time)
	// LifeBegins tells of a peer that is being started, LifeEnds of one that has ended.
	LifeBegins(l invariant.Life)
	LifeEnds(l invariant.Life)
	// EventTaken tells of an event of a peer when it has arrived. The event must not be changed.
	EventTaken(e invariant.Entry)
	// StepBegins tells of a step, whose Status is empty. StepEnds tells of the same File, Line and Start, or of a step that
	// never began, such as one that is skipped.
	StepBegins(s StepRecord)
	StepEnds(s StepRecord)
}

// Nobody is an Observer that takes no notice. It is embedded where only some of the calls matter.
type Nobody struct{}

// RunBegins is that of Observer, as are the others.
func (Nobody) RunBegins(time.Time) {}

// LifeBegins does nothing.
func (Nobody) LifeBegins(invariant.Life) {}

// LifeEnds does nothing.
func (Nobody) LifeEnds(invariant.Life) {}

// EventTaken does nothing.
func (Nobody) EventTaken(invariant.Entry) {}

// StepBegins does nothing.
func (Nobody) StepBegins(StepRecord) {}

// StepEnds does nothing.
func (Nobody) StepEnds(StepRecord) {}

// observe begins to tell the observer, from what there is already. The lock is held.
func (c *Coordinator) observe(start time.Time) {
	c.start = start
	if c.opt.Observer == nil {
		return
	}
	c.observed = true
	c.opt.Observer.RunBegins(start)
	for _, name := range c.suite.Peers {
		for _, l := range c.peers[name].lives {
			c.tellLife(l)
		}
		for _, e := range c.peers[name].log {
			c.tellEvent(c.peers[name], e)
		}
	}
}

// tellLife tells that a life has begun or ended. The lock is held.
func (c *Coordinator) tellLife(l *life) {
	switch {
	case !c.observed:
	case l.isGone():
		c.opt.Observer.LifeEnds(c.recordOf(l, l.to))
	default:
		c.opt.Observer.LifeBegins(c.recordOf(l, time.Now()))
	}
}

// recordOf is what is known of a life; end is the end of one that goes on. The lock is held.
func (c *Coordinator) recordOf(l *life, end time.Time) invariant.Life {
	out := invariant.Life{Peer: l.peer.name, From: l.from.Sub(c.start), To: end.Sub(c.start)}
	if l.isGone() {
		out.To, out.Ended, out.How = l.to.Sub(c.start), true, cmp.Or(l.parting, "died")
	}
	return out
}

// tellEvent tells of an event. The lock is held.
func (c *Coordinator) tellEvent(p *peer, e entry) {
	if c.observed {
		c.opt.Observer.EventTaken(c.entryOf(p, e))
	}
}

// entryOf is an event as others see it. The lock is held.
func (c *Coordinator) entryOf(p *peer, e entry) invariant.Entry {
	return invariant.Entry{Peer: p.name, At: e.at.Sub(c.start), Life: e.life, Event: e.Event}
}

// tellEnded tells of a step that was recorded. The lock of what is recorded is held.
func (c *Coordinator) tellEnded(rec StepRecord) {
	if c.opt.Observer != nil {
		c.opt.Observer.StepEnds(rec)
	}
}

// begins notes that a step runs from now on, until ends.
func (c *Coordinator) begins(rec StepRecord) *doing {
	rec.Status = ""
	d := &doing{rec: rec}
	c.mu.Lock()
	c.doing = append(c.doing, d)
	c.mu.Unlock()
	if c.opt.Observer != nil {
		c.reporting.Lock()
		defer c.reporting.Unlock()
		c.opt.Observer.StepBegins(rec)
	}
	return d
}
