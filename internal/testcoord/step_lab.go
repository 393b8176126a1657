package testcoord

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"peerlab.example/peerlab/internal/command"
)

// labActions are what the coordinator itself can do; those of a later version are true.
var labActions = map[string]bool{
	"sleep": false, "kill": false, "stop": false, "restart": false,
	"freeze": false, "thaw": false, "bootstrap": false,
	"partition": false, "heal": false, "latency": false, "loss": false, "duplicate": false, "reorder": false,
	"bandwidth": false, "clock": true,
}

// lab reads "lab ACTION …".
func (p *parser) lab(l line) {
	l = l.after(1)
	known := append([]string{"bootstrap", "freeze", "heal", "kill", "restart", "sleep", "stop", "thaw"}, faultKinds...)
	slices.Sort(known)
	if len(l.words) == 0 {
		p.fail(l, l.end(), "", "lab does what? %s", strings.Join(known, ", "))
		return
	}
	verb := l.words[0]
	later, ok := labActions[verb.Text]
	switch {
	case !ok:
		p.fail(l, verb.Col, command.Nearest(verb.Text, known), "unknown action %q: lab can %s", verb.Text, strings.Join(known, ", "))
	case later:
		p.notYet(l, verb.Col, `"lab `+verb.Text+`"`)
	case verb.Text == "sleep":
		if d, ok := p.duration(l, 1); ok && p.nothingAfter(l, 2) {
			p.step(l, sleepStep{d})
		}
	case verb.Text == "bootstrap":
		p.labBootstrap(l)
	case verb.Text == "heal":
		p.labHeal(l)
	case slices.Contains(faultKinds, verb.Text):
		p.labFault(l)
	default:
		p.labPeers(l)
	}
}

// labBootstrap reads "bootstrap stop|start|wipe|slow D".
func (p *parser) labBootstrap(l line) {
	if len(l.words) == 1 {
		p.fail(l, l.end(), "", "lab bootstrap does what? %s", strings.Join(bootstrapVerbs, ", "))
		return
	}
	step := bootstrapStep{verb: l.words[1].Text}
	if !slices.Contains(bootstrapVerbs, step.verb) {
		p.fail(l, l.col(1), command.Nearest(step.verb, bootstrapVerbs), "lab bootstrap can %s, not %q", strings.Join(bootstrapVerbs, ", "), step.verb)
		return
	}
	after := 2
	if step.verb == "slow" {
		after = 3
		// "slow 0s" ends it, which no other duration may be.
		if !l.is(2, "0s") && !l.is(2, "0") {
			var ok bool
			if step.delay, ok = p.duration(l, 2); !ok {
				return
			}
		}
	}
	if p.nothingAfter(l, after) {
		p.step(l, step)
	}
}

// labPeers reads "kill|stop|restart|freeze|thaw WHO …".
func (p *parser) labPeers(l line) {
	step := &labStep{verb: l.words[0].Text}
	if len(l.words) == 1 {
		p.fail(l, l.end(), "", "lab %s needs a peer", step.verb)
		return
	}
	good := true
	for i, w := range l.words[1:] {
		if i > 0 && l.is(i+1, "as") {
			p.notYet(l, w.Col, `"as new"`)
			return
		}
		one, ok := p.who(l, w)
		good = good && ok
		step.who.all = step.who.all || one.all
		for _, name := range one.names {
			if !slices.Contains(step.who.names, name) {
				step.who.names = append(step.who.names, name)
			}
		}
	}
	if good {
		p.step(l, step)
	}
}

// sleepStep does nothing for a while.
type sleepStep struct{ d time.Duration }

func (s sleepStep) run(ctx context.Context, _ *Coordinator) error {
	select {
	case <-time.After(s.d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// labStep ends peers, or starts them again.
type labStep struct {
	verb string // kill, stop, restart, freeze or thaw
	who  who
}

func (s *labStep) run(ctx context.Context, c *Coordinator) error {
	names, err := c.resolve(s.who)
	if err != nil {
		return err
	}
	errs := make([]error, len(names))
	var work sync.WaitGroup
	for i, name := range names {
		work.Go(func() { errs[i] = c.act(s.verb, name) })
	}
	work.Wait()
	err = errors.Join(errs...)
	if err == nil && s.verb == "restart" {
		err = c.startPeers(ctx, names)
	}
	if err == nil && (s.verb == "restart" || s.verb == "thaw") {
		err = c.teachFaults(ctx, names)
	}
	return err
}

// act ends one peer. To restart one that has ended already is fine, to kill or stop it is not.
func (c *Coordinator) act(verb, name string) error {
	c.mu.Lock()
	p := c.peers[name]
	l, up, why := p.life, p.life.isUp(), p.why()
	c.mu.Unlock()
	switch {
	case verb == "restart" && l.isGone():
		return nil
	case verb != "restart" && !up:
		return &diedError{name: name, how: why}
	case verb == "kill":
		return c.kill(l)
	case verb == "freeze":
		return c.freeze(l)
	case verb == "thaw":
		return c.thaw(l)
	}
	return c.end(l, "stop", c.opt.EndTimeout)
}
