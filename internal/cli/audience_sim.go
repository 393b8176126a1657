package cli

import (
	"slices"
	"sync"
	"time"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/testcoord"
)

// ofSimulation is the observer of a run whose coordinator is out of reach: what it is told is shown on the page, and below what is
// printed. It is nil when nobody looks.
func (s *sight) ofSimulation() testcoord.Observer {
	page := s.observer()
	if page == nil && s.audience.line == nil {
		return nil
	}
	if page == nil {
		page = testcoord.Nobody{}
	}
	o := &onlooker{Observer: page, began: s.began, peers: map[string]invariant.Life{}}
	s.followBy(o.progress)
	return o
}

// onlooker knows how far a run is from what it is told.
type onlooker struct {
	testcoord.Observer // the page, if anybody looks at it
	began              time.Time

	mu    sync.Mutex
	doing []testcoord.StepRecord    // guarded by mu; those that run
	peers map[string]invariant.Life // guarded by mu; the last life of each
}

func (o *onlooker) progress() testcoord.Progress {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := testcoord.Progress{Phase: testcoord.Running, Elapsed: time.Since(o.began)}
	for _, s := range o.doing {
		p.Steps = append(p.Steps, testcoord.Doing{StepRecord: s})
	}
	for _, l := range o.peers {
		switch {
		case !l.Ended:
			p.Peers.Alive++
		case l.How == "kill":
			p.Peers.Killed++
		case l.How == "died":
			p.Peers.Died++
		default:
			p.Peers.Stopped++
		}
	}
	return p
}

func (o *onlooker) LifeBegins(l invariant.Life) {
	o.note(func() { o.peers[l.Peer] = l })
	o.Observer.LifeBegins(l)
}

func (o *onlooker) LifeEnds(l invariant.Life) {
	o.note(func() { o.peers[l.Peer] = l })
	o.Observer.LifeEnds(l)
}

func (o *onlooker) StepBegins(s testcoord.StepRecord) {
	o.note(func() { o.doing = append(o.doing, s) })
	o.Observer.StepBegins(s)
}

func (o *onlooker) StepEnds(s testcoord.StepRecord) {
	o.note(func() {
		o.doing = slices.DeleteFunc(o.doing, func(d testcoord.StepRecord) bool { return d.File == s.File && d.Line == s.Line && d.Start == s.Start })
	})
	o.Observer.StepEnds(s)
}

func (o *onlooker) note(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}
