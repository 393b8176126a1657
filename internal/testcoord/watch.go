package testcoord

import (
	"context"
	"errors"
	"fmt"
	"time"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// watcher judges a predicate at some peers, at each event that arrives. Its fields are guarded
// by Coordinator.mu, but for poke.
type watcher struct {
	step   *expectStep
	peers  []*peer
	judges []judge
	index  map[*peer]int // the place of a peer in the slices
	good   []bool        // the predicate holds at that peer now
	bad    int           // at how many it does not
	since  time.Time     // when it began to hold at all; zero while it does not
	ended  bool          // it is decided
	err    string        // why it failed, once it is decided
	missed []uint64      // how many events of each peer were lost before it mattered
	ran    []bool        // the suite had not ended that peer when it came to the line
	over   []bool        // that peer is judged no more
	poke   chan struct{} // has room for one; since or ended may have changed
}

// watch begins to judge; the caller ends it with unwatch. ran says of whom the suite had not ended when it came to the line.
func (c *Coordinator) watch(s *expectStep, names []string, ran []bool) *watcher {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &watcher{
		step: s, index: map[*peer]int{}, good: make([]bool, len(names)), bad: len(names), poke: make(chan struct{}, 1),
		ran: ran, over: make([]bool, len(names)),
	}
	for i, name := range names {
		p := c.peers[name]
		w.peers = append(w.peers, p)
		w.judges = append(w.judges, s.at(name).judge(p, s.never))
		w.index[p] = i
		missed := uint64(0)
		if s.never {
			missed = p.missed
		}
		w.missed = append(w.missed, missed)
	}
	c.watchers[w] = true
	for i := range w.peers {
		w.look(i)
	}
	w.decide()
	return w
}

func (c *Coordinator) unwatch(w *watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.watchers, w)
}

// changed takes in that something about a peer is new.
func (w *watcher) changed(p *peer, e *eventv1.Event) {
	i, mine := w.index[p]
	if !mine || w.ended {
		return
	}
	if e != nil && !w.over[i] {
		w.judges[i].see(e)
	}
	w.look(i)
	w.decide()
}

// excused reports whether a peer is judged no more. What is watched of several is watched at each for as long as it runs: one that
// the suite itself ends has not failed, also if it starts again. Who is watched alone is to run to the end.
func (w *watcher) excused(i int) bool {
	lasting := w.step.never || w.step.always
	if lasting && len(w.peers) > 1 && w.ran[i] && !w.peers[i].wanted() {
		w.over[i] = true
	}
	return w.over[i]
}

// look judges one peer, and decides what a single peer can decide.
func (w *watcher) look(i int) {
	if w.excused(i) {
		return
	}
	p, v, was := w.peers[i], w.judges[i].verdict(), w.good[i]
	if w.good[i] != (v == yes) {
		w.good[i] = v == yes
		if w.good[i] {
			w.bad--
		} else {
			w.bad++
		}
	}
	lost := p.missed - w.missed[i]
	if _, asks := w.judges[i].(asker); asks {
		lost = 0 // events say nothing about it
	}
	died := p.life.isGone() && p.life.parting == ""
	switch {
	case w.ended:
	case w.step.never && v == yes:
		w.fail(w.step.text + " became true at " + p.name)
	case lost > 0 && (w.step.never || w.step.always || w.step.pred.exact()):
		w.fail(fmt.Sprintf("%d events of %s were lost on the way, so this cannot be judged", lost, p.name))
	case died, !p.life.isUp() && (w.step.never || w.step.always || v != yes):
		w.fail(p.name + " " + p.why())
	case v == unknown:
	case w.step.always && v != yes && was:
		w.fail(w.step.text + " became false at " + p.name)
	case w.step.always && v != yes:
		w.fail(w.step.text + " is false at " + p.name)
	case v == hopeless && !w.step.never:
		w.fail("this cannot become true any more at " + p.name)
	}
}

func (w *watcher) fail(msg string) { w.ended, w.err = true, msg }

// decide decides what all peers decide together. What holds once is enough, even if it ends
// the next moment, unless it must be exact.
func (w *watcher) decide() {
	switch {
	case w.step.never, w.step.always:
	case w.bad > 0:
		w.since = time.Time{}
	case w.since.IsZero():
		w.since = time.Now()
		w.ended = w.ended || !w.step.pred.exact()
	}
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

// now is what the watcher has come to.
func (c *Coordinator) now(w *watcher) (since time.Time, ended bool, err string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return w.since, w.ended, w.err
}

// await waits until the expectation is decided or its time is over.
func (c *Coordinator) await(ctx context.Context, w *watcher) error {
	deadline := time.NewTimer(w.step.limit)
	defer deadline.Stop()
	for {
		since, ended, msg := c.now(w)
		var settled <-chan time.Time
		switch left := settle - time.Since(since); {
		case msg != "":
			return errors.New(msg)
		case ended, !since.IsZero() && left <= 0:
			return nil
		case !since.IsZero():
			settled = time.After(left)
		}
		select {
		case <-w.poke:
		case <-settled:
		case <-deadline.C:
			if silent := c.silent(w); silent != "" {
				return fmt.Errorf("%s has not answered within %s", silent, w.step.limit)
			}
			if w.step.never || w.step.always || !since.IsZero() {
				return nil
			}
			return fmt.Errorf("not within %s", w.step.limit)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// silent is the first peer that was asked and has not answered, or "".
func (c *Coordinator) silent(w *watcher) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, j := range w.judges {
		if j.verdict() == unknown && !w.over[i] {
			return w.peers[i].name
		}
	}
	return ""
}
