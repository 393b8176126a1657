package testcoord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/network"
)

// Faults puts rules in force where the runner does that itself, as with the kernel's means between namespaces. Without
// it, each peer has its own rules, which its commands "fault …" change.
type Faults interface {
	// Set puts a rule in force, or in the place of the one with the same id.
	Set(ctx context.Context, r network.Rule) error
	// Heal lifts what is between one of some peers and one of others, or everything when neither is given.
	Heal(ctx context.Context, some, others []string) error
}

// faultKinds are the actions of the coordinator that are rules of the network.
var faultKinds = []string{
	string(network.Partition), string(network.Latency), string(network.Loss),
	string(network.Duplicate), string(network.Reorder), string(network.Bandwidth),
}

// labFault reads "partition …", "latency …" and so on, in the words of network.ParseRule.
func (p *parser) labFault(l line) {
	l = p.ungrouped(l)
	rule, err := network.ParseRule(l.text())
	if wrong := (*network.RuleError)(nil); errors.As(err, &wrong) {
		hint, example := command.Nearest(wrong.Word, wrong.Choices), ""
		if hint == "" && !strings.Contains(wrong.Msg, "such as") {
			example = "; such as: lab " + wrong.Example
		}
		p.fail(l, l.place(wrong.Col), hint, "%s%s", wrong.Msg, example)
		return
	}
	good := true
	for i, w := range l.words[1:] {
		if !good && w.Col == l.words[i].Col { // another of the same group or range, of which enough is said
			continue
		}
		switch _, empty := p.groups[w.Text]; {
		case empty: // what is wrong with the group is told already
			good = false
		case !p.isEnd(rule, w.Text):
		case w.Text == "all" || w.Text == "others":
			p.fail(l, w.Col, network.Others, "%q names no peers in a rule of the network, where all others are %q", w.Text, network.Others)
			good = false
		default:
			good = p.ended(l, w) && good
		}
	}
	if good && p.canRule(l, rule) {
		p.step(l, &faultStep{rule: rule})
	}
}

// ended reports whether a word that several did not know is the name of a peer.
func (p *parser) ended(l line, w command.Word) bool {
	names := p.names(l, w)
	for _, name := range names {
		if !p.known(l, w, name) {
			return false
		}
	}
	return len(names) > 0
}

// ungrouped is the line with the names of peers in place of groups, ranges and lists.
func (p *parser) ungrouped(l line) line {
	var words []command.Word
	for i, w := range l.words {
		members := p.several(w)
		if i == 0 || len(members) == 0 {
			words = append(words, w)
			continue
		}
		for _, name := range members {
			words = append(words, command.Word{Text: name, Raw: w.Raw, Col: w.Col})
		}
	}
	l.words = words
	return l
}

// several are the peers that a word stands for, if that is a group, a range, or a list of these and of peers; else none.
func (p *parser) several(w command.Word) []string {
	var out []string
	parts := strings.Split(w.Text, ",")
	for _, part := range parts {
		members, group := p.groups[part]
		m := rangeOf.FindStringSubmatch(part)
		switch {
		case group:
			out = append(out, members...)
		case m != nil:
			names, wrong := expand(m[1], m[2], m[3])
			if wrong != "" {
				return nil
			}
			out = append(out, names...)
		case len(parts) > 1 && p.named[part]:
			out = append(out, part)
		default:
			return nil
		}
	}
	return out
}

// isEnd reports whether a word of a rule is the name of a peer in it.
func (p *parser) isEnd(r network.Rule, name string) bool {
	if name == network.Bootstrap || name == network.Others {
		return false
	}
	for _, pair := range r.Except {
		if slices.Contains(pair[:], name) {
			return true
		}
	}
	return slices.ContainsFunc(r.Groups, func(group []string) bool { return slices.Contains(group, name) })
}

// place is the column in the file of a column in the line's text, which has one blank between its words.
func (l line) place(col int) int {
	at := 1
	for i, w := range l.words {
		if col < at+len(w.Text)+1 {
			return l.col(i) + max(0, col-at)
		}
		at += len(w.Text) + 1
	}
	return l.end()
}

// maxHealed is how many links one line heals: each is a command at each peer.
const maxHealed = 500

// labHeal reads "heal" and "heal A B", where A and B may be several peers.
func (p *parser) labHeal(l line) {
	step := &healStep{}
	switch len(l.words) {
	case 1:
	case 3:
		var ok, okToo bool
		step.some, ok = p.healed(l, l.words[1])
		step.others, okToo = p.healed(l, l.words[2])
		if !ok || !okToo {
			return
		}
		switch n := len(step.lines()); {
		case n == 0:
			p.fail(l, l.col(2), "", "a link has two ends, and %q is only one", l.words[2].Text)
			return
		case n > maxHealed:
			p.fail(l, l.col(1), "", "these are %d links, and a line heals at most %d; lab heal alone lifts all faults", n, maxHealed)
			return
		}
	default:
		p.fail(l, l.col(min(3, len(l.words))), "", "heal lifts all faults, or with two names those between them: lab heal alice bob")
		return
	}
	p.step(l, step)
}

// healed are the peers at one end of the links that are healed.
func (p *parser) healed(l line, w command.Word) (names []string, ok bool) {
	if w.Text == network.Bootstrap {
		return []string{w.Text}, true
	}
	if names = p.several(w); len(names) == 0 {
		return []string{w.Text}, p.ended(l, w)
	}
	for _, name := range names {
		if !p.known(l, w, name) {
			return nil, false
		}
	}
	return names, true
}

// faultStep sets a rule, at all peers that run and at those that start later.
type faultStep struct{ rule network.Rule }

func (s *faultStep) run(ctx context.Context, f *flow) error {
	c := f.c
	c.faulting.Lock()
	defer c.faulting.Unlock()
	rule := s.rule
	if rule.ID == "" { // one id at all peers, so that a peer which is told twice has it once
		c.faultCount++
		rule.ID = fmt.Sprint("lab", c.faultCount)
	}
	if c.opt.Faults != nil {
		return c.opt.Faults.Set(ctx, rule)
	}
	return c.order(ctx, order{rule: rule, at: time.Now()})
}

// order is a command about faults that peers are told which start later.
type order struct {
	rule network.Rule
	at   time.Time
	heal string // in place of a rule
}

// line is the command as it is at a time; empty when the rule has ended by itself.
func (o order) line(now time.Time) string {
	if o.heal != "" {
		return o.heal
	}
	rule := o.rule
	if rule.For > 0 {
		if rule.For -= now.Sub(o.at).Round(time.Millisecond); rule.For <= 0 { // who tells it at once tells all of it
			return ""
		}
	}
	return "fault " + rule.String()
}

// coveredBy reports whether a newer order makes this one needless: it replaces the rule, or heals the same.
func (o order) coveredBy(newer order) bool {
	return o.heal == newer.heal && o.rule.ID == newer.rule.ID
}

// order gives a command to all peers that can take one, and keeps it for the others. The lock of faults is held.
func (c *Coordinator) order(ctx context.Context, o order) error {
	c.orders = append(slices.DeleteFunc(c.orders, func(old order) bool { return old.line(o.at) == "" || old.coveredBy(o) }), o)
	return c.everywhere(ctx, o.line(o.at))
}

// healStep lifts rules.
type healStep struct{ some, others []string } // the ends of the links; empty for all rules

func (s *healStep) run(ctx context.Context, f *flow) error {
	c := f.c
	c.faulting.Lock()
	defer c.faulting.Unlock()
	if c.opt.Faults != nil {
		return c.opt.Faults.Heal(ctx, s.some, s.others)
	}
	if len(s.some) == 0 {
		c.orders = nil
		if c.anyFrozen() { // who is frozen has them still, and is told when it goes on
			return c.order(ctx, order{heal: "fault heal", at: time.Now()})
		}
		return c.everywhere(ctx, "fault heal")
	}
	for _, line := range s.lines() {
		if err := c.order(ctx, order{heal: line, at: time.Now()}); err != nil {
			return err
		}
	}
	return nil
}

// lines are the commands that heal each of the links.
func (s *healStep) lines() []string {
	var out []string
	for _, a := range s.some {
		for _, b := range s.others {
			if a != b {
				out = append(out, "fault heal "+command.Quote(a)+" "+command.Quote(b))
			}
		}
	}
	return out
}

// anyFrozen reports whether a peer is frozen.
func (c *Coordinator) anyFrozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.peers {
		if p.life.isUp() && p.life.frozen {
			return true
		}
	}
	return false
}

// everywhere runs a command at all peers that can take one.
func (c *Coordinator) everywhere(ctx context.Context, line string) error {
	c.mu.Lock()
	var names []string
	for _, name := range c.suite.Peers {
		if p := c.peers[name]; p.life.isUp() && !p.life.frozen {
			names = append(names, name)
		}
	}
	c.mu.Unlock()
	return c.runAt(ctx, names, line)
}

// runAt runs a command of the coordinator's own at peers.
func (c *Coordinator) runAt(ctx context.Context, names []string, line string) error {
	if len(names) == 0 {
		return nil
	}
	return (&commandStep{who: who{names: names}, line: line, aside: true}).run(ctx, &flow{c: c})
}

// teachFaults tells peers that have just started, or go on, of the rules that are in force.
func (c *Coordinator) teachFaults(ctx context.Context, names []string) error {
	c.faulting.Lock()
	defer c.faulting.Unlock()
	for _, o := range c.orders {
		line := o.line(time.Now())
		if line == "" {
			continue
		}
		if err := c.runAt(ctx, names, line); err != nil {
			return fmt.Errorf("the faults in force: %w", err)
		}
	}
	return nil
}
