package testcoord

import (
	"context"
	"fmt"
	"slices"
	"time"

	"peerlab.example/peerlab/internal/command"
)

// expectWithin is how long an expectation may take to become true unless it says otherwise.
const expectWithin = 5 * time.Second

// expectStep waits for a predicate, or watches that it stays as it is.
type expectStep struct {
	who    who
	limit  time.Duration
	never  bool // it must not become true
	always bool // it must be true, and stay so
	pred   predicate
	preds  map[string]predicate // of peers where it is another, since the line says $SELF or $I
	text   string               // the predicate as it was written
}

// expect reads "expect WHO [within D | never D | always D] PREDICATE".
func (p *parser) expect(l line) {
	l = l.after(1)
	if len(l.words) == 0 {
		p.fail(l, l.end(), "", "expect what? expect alice members alive = 3")
		return
	}
	switch {
	case l.is(0, "measure"):
		p.expectMeasure(l)
		return
	case len(l.words) > 1 && (l.is(1, "~") || slices.Contains(operators, l.words[1].Text)) && !l.words[1].Quoted:
		p.expectValue(l)
		return
	}
	if l.is(0, "within") || l.is(0, "never") || l.is(0, "always") {
		p.fail(l, l.col(0), "", "expect of whom? expect alice %s 5s members alive = 3", l.words[0].Text)
		return
	}
	peers, l, ok := p.who(l)
	step := &expectStep{who: peers, limit: expectWithin}
	if l.is(0, "within") || l.is(0, "never") || l.is(0, "always") {
		step.never, step.always = l.is(0, "never"), l.is(0, "always")
		d, isTime := p.duration(l, 1)
		step.limit, ok = d, ok && isTime
		l = l.after(1)
		if isTime || len(l.words) > 0 && !slices.Contains(predicates, l.words[0].Text) {
			l = l.after(1)
		}
	}
	step.text = l.shown()
	if step.pred = p.predicate(l); step.pred != nil && ok {
		p.step(l, step)
	}
}

func (s *expectStep) peers() *who { return &s.who }

// each takes over what is wanted at one peer, where the variables of the line have other values.
func (s *expectStep) each(name string, other action) {
	if s.preds == nil {
		s.preds = map[string]predicate{}
	}
	s.preds[name] = other.(*expectStep).pred //nolint:forcetypeassert // the same line was read
}

// at is what is wanted of a peer.
func (s *expectStep) at(name string) predicate {
	if pred, own := s.preds[name]; own {
		return pred
	}
	return s.pred
}

func (s *expectStep) run(ctx context.Context, f *flow) error {
	c := f.c
	names, err := f.resolve(s.who)
	if err != nil {
		return err
	}
	ran := f.ran
	if f.fixed == nil {
		ran = c.ran(names)
	}
	w := c.watch(s, names, ran)
	defer c.unwatch(w)
	defer c.ask(ctx, w)()
	f.waitsFor(w.unmet)
	if err := c.await(ctx, w); err != nil {
		return &failure{msg: err.Error(), details: c.explain(w)}
	}
	return nil
}

// Limits of an explanation.
const (
	peersShown  = 10 // peers whose state is shown
	eventsShown = 5  // events shown of each
	eventsInAll = 15 // events shown of all; with more, fewer of each
)

// explain shows what was wanted, what there is at each peer, and the last events that matter.
func (c *Coordinator) explain(w *watcher) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	how := "within "
	switch {
	case w.step.never:
		how = "never within "
	case w.step.always:
		how = "always for "
	}
	out := []string{"wanted  " + how + w.step.limit.String() + "  " + w.step.text}
	width, shown := 0, 0
	for _, p := range w.peers {
		width = max(width, len(p.name))
	}
	var events []string
	for i, p := range w.peers {
		if good := w.judges[i].verdict() == yes; good != w.step.never && len(w.peers) > peersShown {
			continue // with many peers, only those that are wrong
		}
		if shown++; shown > peersShown {
			out = append(out, "        … and more")
			break
		}
		text := w.judges[i].seen()
		if p.life.isGone() {
			text += "; it " + p.life.death
		}
		if p.missed > 0 {
			text += fmt.Sprintf("; %d of its events were lost on the way", p.missed)
		}
		out = append(out, fmt.Sprintf("seen    %-*s  %s", width, p.name, command.Clean(text)))
		events = append(events, c.lastEvents(p, w.step.at(p.name), max(1, min(eventsShown, eventsInAll/len(w.peers))))...)
	}
	return append(out, events...)
}

// lastEvents are the n newest events of a peer that matter to a predicate. The lock is held.
func (c *Coordinator) lastEvents(p *peer, pred predicate, n int) []string {
	var out []string
	for i := len(p.log) - 1; i >= 0 && len(out) < n; i-- {
		if e := p.log[i]; pred.matters(e.Event) {
			out = append(out, fmt.Sprintf("event   %s  %s  %s", p.name, since(c.start, e.at), describe(e.Event)))
		}
	}
	slices.Reverse(out)
	return out
}
