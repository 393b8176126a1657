package testcoord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// labActions are what the coordinator itself can do, beside the faults of the network.
var labActions = []string{"bootstrap", "clock", "freeze", "heal", "kill", "restart", "sleep", "stop", "thaw"}

// labNeeds are what a runner must be able to do for it.
var labNeeds = map[string]Ability{
	"bootstrap": CanBootstrap, "clock": CanClock, "freeze": CanFreeze, "thaw": CanFreeze, "kill": CanKill, "restart": CanRestart,
}

// lab reads "lab ACTION …".
func (p *parser) lab(l line) {
	l = l.after(1)
	known := append(slices.Clone(labActions), faultKinds...)
	slices.Sort(known)
	if len(l.words) == 0 {
		p.fail(l, l.end(), "", "lab does what? %s", strings.Join(known, ", "))
		return
	}
	verb := l.words[0]
	need, special := labNeeds[verb.Text]
	switch {
	case !slices.Contains(known, verb.Text):
		p.fail(l, verb.Col, command.Nearest(verb.Text, known), "unknown action %q: lab can %s", verb.Text, strings.Join(known, ", "))
	case special && !p.needs(l, verb.Col, need):
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

// labPeers reads "kill|stop|restart|freeze|thaw WHO …", "restart WHO as new" and "clock WHO +5s".
func (p *parser) labPeers(l line) {
	step := &labStep{verb: l.words[0].Text}
	if len(l.words) == 1 {
		p.fail(l, l.end(), "", "lab %s needs a peer", step.verb)
		return
	}
	good := true
	rest := l.after(1)
	if step.verb == "clock" {
		var ok bool
		if step.skew, ok = p.skew(rest); !ok {
			return
		}
		rest.words = rest.words[:len(rest.words)-1]
	}
	for len(rest.words) > 0 {
		if rest.is(0, "as") && len(rest.words) < len(l.words)-1 {
			step.fresh = true
			good = p.asNew(step.verb, rest) && good
			break
		}
		var one who
		var ok bool
		one, rest, ok = p.who(rest)
		good = good && ok && p.together(l, &step.who, one)
	}
	if good {
		p.step(l, step)
	}
}

// together adds peers to others. Only names can be added to names.
func (p *parser) together(l line, all *who, one who) bool {
	switch {
	case len(one.names) == 0 && len(all.names) == 0 && all.any == 0 && !all.others:
		*all = one
	case one.all || all.all:
		*all = who{all: true}
	case len(one.names) == 0 || all.any > 0 || all.others:
		p.fail(l, l.col(1), "", "others and any stand alone")
		return false
	}
	for _, name := range one.names {
		if !all.all && !slices.Contains(all.names, name) {
			all.names = append(all.names, name)
		}
	}
	return true
}

// asNew reads "as new".
func (p *parser) asNew(verb string, l line) bool {
	if verb != "restart" || !l.is(1, "new") {
		p.fail(l, l.col(0), "", `only "lab restart WHO as new" has an "as"`)
		return false
	}
	return p.nothingAfter(l, 2)
}

// skew reads "WHO… +5s" or "WHO… -5s".
func (p *parser) skew(l line) (time.Duration, bool) {
	last := len(l.words) - 1
	text := l.words[last].Text
	sign, unsigned := text[:min(1, len(text))], text[min(1, len(text)):]
	d, err := app.ParseDuration(unsigned)
	if err != nil || sign != "+" && sign != "-" || last == 0 {
		p.fail(l, l.col(last), "", "a clock is set by a duration with its sign: lab clock alice +5s")
		return 0, false
	}
	if sign == "-" {
		d = -d
	}
	return d, true
}

// sleepStep does nothing for a while.
type sleepStep struct{ d time.Duration }

func (s sleepStep) run(ctx context.Context, _ *flow) error {
	select {
	case <-time.After(s.d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// labStep ends peers, or starts them again.
type labStep struct {
	verb  string // kill, stop, restart, freeze, thaw or clock
	who   who
	fresh bool          // restart as a peer that remembers nothing
	skew  time.Duration // of the clock
}

func (s *labStep) run(ctx context.Context, f *flow) error {
	c := f.c
	names, err := f.resolve(s.who)
	if err != nil {
		return err
	}
	f.waitsFor(func() []string { return s.unchanged(c, names) })
	errs := make([]error, len(names))
	var work sync.WaitGroup
	for i, name := range names {
		work.Go(func() { errs[i] = s.act(c, name) })
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

// unchanged are the peers that have not ended yet, or of a restart those that are not there again. The lock is held.
func (s *labStep) unchanged(c *Coordinator, names []string) []string {
	switch s.verb {
	case "kill", "stop":
		return c.living(names)
	case "restart":
		return c.unattached(names)
	}
	return nil
}

// Forgetter is a Runner whose peers remember something from one start to the next.
type Forgetter interface {
	// Forget makes the peer of that name, which has ended, start as a new one.
	Forget(name string) error
}

// Clock is a Process whose clock can be set wrong.
type Clock interface {
	// Skew sets it so far ahead of the true time, or behind.
	Skew(d time.Duration) error
}

// act does it to one peer.
func (s *labStep) act(c *Coordinator, name string) error {
	if err := s.change(c, name); err != nil {
		return err
	}
	if f, ok := c.opt.Runner.(Forgetter); ok && s.fresh {
		return f.Forget(name)
	}
	return nil
}

// change is act without the memory. To restart one that has ended already is fine, to kill or stop it is not.
func (s *labStep) change(c *Coordinator, name string) error {
	c.mu.Lock()
	p := c.peers[name]
	l, up, why := p.life, p.life.isUp(), p.why()
	c.mu.Unlock()
	switch {
	case (s.verb == "restart" || s.verb == "kill") && c.opt.Runner == nil:
		// Somebody may well start it again, but when cannot be known: it may come before it is waited for, and be refused.
		return fmt.Errorf("the coordinator cannot %s a peer that it did not start", s.verb)
	case s.verb == "restart" && l.isGone():
		return nil
	case s.verb != "restart" && !up:
		return &diedError{name: name, how: why}
	case s.verb == "kill":
		return c.kill(l)
	case s.verb == "freeze":
		return c.freeze(l)
	case s.verb == "thaw":
		return c.thaw(l)
	case s.verb == "clock":
		clock, ok := l.process.(Clock)
		if !ok {
			return errors.New("this runner cannot set a peer's clock")
		}
		return clock.Skew(s.skew)
	}
	return c.end(l, "stop", c.opt.EndTimeout)
}
