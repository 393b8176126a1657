package testcoord

import (
	"slices"
	"time"
)

// Phase is what a run is about.
type Phase string

// The phases of a run, in their order.
const (
	Waiting  Phase = "waiting"  // for peers that others start
	Starting Phase = "starting" // peers
	Running  Phase = "running"  // steps
	Judging  Phase = "judging"  // what had to hold all the time
	Ending   Phase = "ending"   // peers
	Over     Phase = "over"
)

// Progress is where a run has come to.
type Progress struct {
	Phase   Phase
	Elapsed time.Duration
	// Steps are those that run now, in the order in which they began.
	Steps []Doing
	// Waiting are the peers that the phase waits for, when it is not about steps.
	Waiting []string
	Peers   PeerStates
}

// Doing is a step that runs.
type Doing struct {
	StepRecord // without Status and Duration
	// Waiting are those that keep the step from ending: peers that have not answered, or of whom what is expected is not
	// true yet. It is empty where only time must pass.
	Waiting []string
}

// PeerStates are how many peers of the suite are in which state, as the coordinator knows it.
type PeerStates struct {
	// Starting are those that have not attached yet; Alive those that have.
	Starting, Alive int
	// Frozen are those whose process is stopped; they are not among Alive.
	Frozen int
	// Killed and Stopped are those that the suite has ended, or that have quit; Died are those that ended by themselves.
	Killed, Stopped, Died int
}

// doing is a step that runs. It is guarded by Coordinator.mu.
type doing struct {
	rec   StepRecord
	waits func() []string // whom it waits for now; nil for nobody
}

// Progress is where the run has come to. It may be called at any time, from any goroutine, and is soon done.
func (c *Coordinator) Progress() Progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := Progress{Phase: c.phase, Elapsed: time.Since(c.start)}
	for _, d := range c.doing {
		one := Doing{StepRecord: d.rec}
		if d.waits != nil {
			one.Waiting = d.waits()
		}
		out.Steps = append(out.Steps, one)
	}
	switch c.phase {
	case Waiting, Starting:
		out.Waiting = c.unattached(c.suite.Peers)
	case Ending:
		out.Waiting = c.living(c.suite.Peers)
	}
	for _, p := range c.peers {
		out.Peers.count(p.life)
	}
	return out
}

// count counts the peer whose current life that is.
func (s *PeerStates) count(l *life) {
	switch {
	case l == nil:
	case !l.isGone() && l.frozen:
		s.Frozen++
	case !l.isGone() && l.session == nil:
		s.Starting++
	case !l.isGone():
		s.Alive++
	case l.parting == "kill":
		s.Killed++
	case l.parting != "":
		s.Stopped++
	default:
		s.Died++
	}
}

// enter begins a phase.
func (c *Coordinator) enter(p Phase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = p
}

// waitsFor says whom the step that runs waits for; names is called under the lock, when somebody asks.
func (f *flow) waitsFor(names func() []string) {
	if f.doing == nil {
		return // it is no step of the suite
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.doing.waits = names
}

// ends notes that a step runs no more.
func (c *Coordinator) ends(d *doing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doing = slices.DeleteFunc(c.doing, func(o *doing) bool { return o == d })
}

// unattached are those of the peers that have not attached. The lock is held.
func (c *Coordinator) unattached(names []string) []string {
	return c.those(names, func(l *life) bool { return l == nil || l.session == nil || l.isGone() })
}

// living are those of the peers that have not ended. The lock is held.
func (c *Coordinator) living(names []string) []string {
	return c.those(names, func(l *life) bool { return l != nil && !l.isGone() })
}

func (c *Coordinator) those(names []string, are func(*life) bool) []string {
	var out []string
	for _, name := range names {
		if are(c.peers[name].life) {
			out = append(out, name)
		}
	}
	return out
}

// unmet are the peers at which what is expected does not hold. The lock of the coordinator is held.
func (w *watcher) unmet() []string {
	var out []string
	for i, p := range w.peers {
		if !w.good[i] && !w.step.never {
			out = append(out, p.name)
		}
	}
	return out
}

// unanswered are the peers at which calls have not ended. The lock is held.
func unanswered(calls []*call) []string {
	var out []string
	for _, k := range calls {
		if !k.over() {
			out = append(out, k.life.peer.name)
		}
	}
	return out
}
