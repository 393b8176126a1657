package testcoord

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
		p.fail(l, l.place(wrong.Col), wrong.Example, "%s", wrong.Msg)
		return
	}
	good := true
	for _, w := range l.words[1:] {
		if _, empty := p.groups[w.Text]; empty { // what is wrong with the group is told already
			good = false
		} else if p.isEnd(rule, w.Text) && !p.known(l, w, w.Text) {
			good = false
		}
	}
	if good && p.canRule(l, rule) {
		p.step(l, &faultStep{rule: rule})
	}
}

// ungrouped is the line with the names of peers in place of the groups.
func (p *parser) ungrouped(l line) line {
	var words []command.Word
	for i, w := range l.words {
		members, ok := p.groups[w.Text]
		if !ok || i == 0 || len(members) == 0 {
			words = append(words, w)
		}
		for _, name := range members {
			words = append(words, command.Word{Text: name, Raw: w.Raw, Col: w.Col})
		}
	}
	l.words = words
	return l
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

// labHeal reads "heal" and "heal A B".
func (p *parser) labHeal(l line) {
	step := &healStep{}
	switch len(l.words) {
	case 1:
	case 3:
		for _, w := range l.words[1:] {
			if w.Text != network.Bootstrap && !p.known(l, w, w.Text) {
				return
			}
			step.link = append(step.link, w.Text)
		}
	default:
		p.fail(l, l.col(min(3, len(l.words))), "", "heal lifts all faults, or with two names those between them: lab heal alice bob")
		return
	}
	p.step(l, step)
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
	line := "fault " + rule.String()
	if rule.For == 0 { // one that ends by itself is nothing for who comes later
		c.faults = append(c.faults, line)
	}
	return c.everywhere(ctx, line)
}

// healStep lifts rules.
type healStep struct{ link []string } // empty, or two names

func (s *healStep) run(ctx context.Context, f *flow) error {
	c := f.c
	c.faulting.Lock()
	defer c.faulting.Unlock()
	if c.opt.Faults != nil {
		if len(s.link) == 0 {
			return c.opt.Faults.Heal(ctx, nil, nil)
		}
		return c.opt.Faults.Heal(ctx, s.link[:1], s.link[1:])
	}
	line := "fault heal"
	for _, name := range s.link {
		line += " " + command.Quote(name)
	}
	c.faults = append(c.faults, line)
	if len(s.link) == 0 {
		c.faults = nil
	}
	return c.everywhere(ctx, line)
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
	for _, line := range c.faults {
		if err := c.runAt(ctx, names, line); err != nil {
			return fmt.Errorf("the faults in force: %w", err)
		}
	}
	return nil
}
