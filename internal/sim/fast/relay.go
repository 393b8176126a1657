package fast

import (
	"sync"
	"time"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/testcoord"
)

// relay is an observer in the bubble, for one outside. What the outer one makes of a call, such as a channel to wait for the next, must not
// belong to the bubble, so a goroutine outside makes the calls.
type relay struct {
	calls chan<- func(testcoord.Observer)
}

// outside returns an observer for the bubble, and what ends it after the last call. The outer one may be nil, and so is the inner one then.
func outside(to testcoord.Observer) (inner testcoord.Observer, end func()) {
	if to == nil {
		return nil, func() {}
	}
	calls := make(chan func(testcoord.Observer), 1024)
	var working sync.WaitGroup
	working.Go(func() {
		for call := range calls {
			call(to)
		}
	})
	return relay{calls}, func() {
		close(calls)
		working.Wait()
	}
}

func (r relay) RunBegins(start time.Time) {
	r.calls <- func(o testcoord.Observer) { o.RunBegins(start) }
}

func (r relay) LifeBegins(l invariant.Life) {
	r.calls <- func(o testcoord.Observer) { o.LifeBegins(l) }
}

func (r relay) LifeEnds(l invariant.Life) {
	r.calls <- func(o testcoord.Observer) { o.LifeEnds(l) }
}

func (r relay) EventTaken(e invariant.Entry) {
	r.calls <- func(o testcoord.Observer) { o.EventTaken(e) }
}

func (r relay) StepBegins(s testcoord.StepRecord) {
	r.calls <- func(o testcoord.Observer) { o.StepBegins(s) }
}

func (r relay) StepEnds(s testcoord.StepRecord) {
	r.calls <- func(o testcoord.Observer) { o.StepEnds(s) }
}
