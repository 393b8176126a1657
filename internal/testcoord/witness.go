package testcoord

import (
	"slices"
	"sync"
	"time"

	"peerlab.example/peerlab/internal/invariant"
)

// Witness is an Observer that keeps what it is told, for a run that may end without a result. It hands all on to another.
type Witness struct {
	next Observer

	mu     sync.Mutex
	began  bool          // guarded by mu
	result Result        // guarded by mu
	log    invariant.Log // guarded by mu
}

// NewWitness returns the witness of a run of the suite. next may be nil.
func NewWitness(suite *Suite, next Observer) *Witness {
	if next == nil {
		next = Nobody{}
	}
	return &Witness{next: next, result: Result{Suite: suite.Name, File: suite.File, Peers: len(suite.Peers), Start: time.Now()}}
}

// Seen is what has become of the run so far. The sections have no durations.
func (w *Witness) Seen() (*Result, invariant.Log) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, log := w.result, w.log
	log.Lives = slices.Clone(log.Lives)
	r.Duration = log.End
	for i, l := range log.Lives {
		if !l.Ended {
			log.Lives[i].To = log.End
		}
	}
	return &r, log
}

// Began reports whether the run has begun.
func (w *Witness) Began() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.began
}

// RunBegins is that of Observer.
func (w *Witness) RunBegins(start time.Time) {
	w.note(0, func() { w.result.Start, w.began = start, true })
	w.next.RunBegins(start)
}

// LifeBegins is that of Observer.
func (w *Witness) LifeBegins(l invariant.Life) {
	w.note(l.From, func() { w.log.Lives = append(w.log.Lives, l) })
	w.next.LifeBegins(l)
}

// LifeEnds is that of Observer.
func (w *Witness) LifeEnds(l invariant.Life) {
	w.note(l.To, func() {
		for i, begun := range w.log.Lives {
			if begun.Peer == l.Peer && begun.From == l.From {
				w.log.Lives[i] = l
			}
		}
	})
	w.next.LifeEnds(l)
}

// EventTaken is that of Observer.
func (w *Witness) EventTaken(e invariant.Entry) {
	w.note(e.At, func() { w.log.Entries = append(w.log.Entries, e) })
	w.next.EventTaken(e)
}

// StepBegins is that of Observer.
func (w *Witness) StepBegins(s StepRecord) {
	w.note(s.Start, func() {})
	w.next.StepBegins(s)
}

// StepEnds is that of Observer.
func (w *Witness) StepEnds(s StepRecord) {
	w.note(s.Start+s.Duration, func() {
		if n := len(w.result.Sections); s.Section != "" && (n == 0 || w.result.Sections[n-1].Title != s.Section) {
			w.result.Sections = append(w.result.Sections, SectionRecord{Title: s.Section, Start: s.Start})
		}
		w.result.add(s)
	})
	w.next.StepEnds(s)
}

// note keeps what was told of that time.
func (w *Witness) note(at time.Duration, keep func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log.End = max(w.log.End, at)
	keep()
}
