package testcoord

import (
	"context"
	"errors"
	"fmt"
	"time"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// watcher judges a predicate at some peers, at each event that arrives. Its fields are guarded
// by Coordinator.mu; poke is not.
type watcher struct {
	step   *expectStep
	peers  []*peer
	judges []judge
	holds  bool // the predicate is true now
	ended  bool // nothing can change any more
	err    string
	poke   chan struct{} // has room for one; holds or ended may have changed
}

// watch begins to judge; the caller ends it with unwatch.
func (c *Coordinator) watch(s *expectStep, names []string) *watcher {
	w := &watcher{step: s, poke: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		p := c.peers[name]
		w.peers = append(w.peers, p)
		w.judges = append(w.judges, s.pred.judge(p, s.never))
	}
	c.watchers[w] = true
	w.evaluate()
	return w
}

func (c *Coordinator) unwatch(w *watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.watchers, w)
}

// changed takes in that something about a peer is new.
func (w *watcher) changed(p *peer, e *eventv1.Event) {
	if w.ended {
		return
	}
	for i, mine := range w.peers {
		if mine == p && e != nil {
			w.judges[i].see(e)
		}
	}
	w.evaluate()
}

// evaluate decides what can be decided.
func (w *watcher) evaluate() {
	if w.step.never {
		w.evaluateNever()
	} else {
		w.evaluateWithin()
	}
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

func (w *watcher) evaluateNever() {
	for i, p := range w.peers {
		switch {
		case w.judges[i].verdict() == yes:
			w.ended, w.err = true, fmt.Sprintf("%s became true at %s", w.step.text, p.name)
		case !p.life.isUp():
			w.ended, w.err = true, p.name+" "+p.why()
		}
	}
}

func (w *watcher) evaluateWithin() {
	w.holds = true
	for i, p := range w.peers {
		v := w.judges[i].verdict()
		switch {
		case p.life.isGone() && p.life.parting == "" || v != yes && !p.life.isUp():
			w.ended, w.err, w.holds = true, p.name+" "+p.why(), false
		case v == hopeless:
			w.ended, w.err, w.holds = true, "this cannot become true any more", false
		case v == no:
			w.holds = false
		}
	}
	if w.holds && !w.step.pred.exact() {
		w.ended = true // for good, even if it becomes false the next moment
	}
}

// now is what the watcher has come to.
func (c *Coordinator) now(w *watcher) (holds, ended bool, err string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return w.holds, w.ended, w.err
}

// await waits until the expectation is decided or its time is over.
func (c *Coordinator) await(ctx context.Context, w *watcher) error {
	deadline := time.NewTimer(w.step.limit)
	defer deadline.Stop()
	var settled <-chan time.Time
	var since *time.Timer
	for {
		holds, ended, msg := c.now(w)
		switch {
		case msg != "":
			return errors.New(msg)
		case ended:
			return nil
		case holds && !w.step.never && settled == nil:
			since = time.NewTimer(settle)
			defer since.Stop()
			settled = since.C
		case !holds:
			settled = nil
		}
		select {
		case <-w.poke:
		case <-settled:
			return nil
		case <-deadline.C:
			if w.step.never || settled != nil {
				return nil
			}
			return fmt.Errorf("not within %s", w.step.limit)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
