package testcoord

import (
	"maps"
	"slices"

	"peerlab.example/peerlab/internal/network"
)

// Ability is something that a suite may want of a runner, and that not every runner has.
type Ability string

// The abilities.
const (
	// CanKill ends a peer without its knowing.
	CanKill Ability = "kill a peer"
	// CanRestart starts a peer again.
	CanRestart Ability = "restart a peer"
	// CanFreeze stops a peer's process, and continues it.
	CanFreeze Ability = "freeze a peer"
	// CanClock sets a peer's clock wrong.
	CanClock Ability = "set a peer's clock"
	// CanBootstrap does something to the bootstrap service.
	CanBootstrap Ability = "control the bootstrap service"
)

// abilities are what the runners can do. What another runner is given here, its Process must implement.
var abilities = map[string][]Ability{
	"process":    {CanKill, CanRestart, CanFreeze, CanBootstrap},
	"netns":      {CanKill, CanRestart, CanFreeze, CanBootstrap},
	"attach":     {CanBootstrap},
	"kubernetes": {CanBootstrap},
	"sim":        {CanKill, CanRestart, CanFreeze, CanClock, CanBootstrap},
}

// Runners are the names of the runners, in alphabetical order.
func Runners() []string { return slices.Sorted(maps.Keys(abilities)) }

// needs reports, at its word, what the runner cannot do. A line that is conditional on something that need not hold may
// ask for everything.
func (p *parser) needs(l line, col int, a Ability) bool {
	if p.binding || p.opt.Runner == "" || p.conditional() {
		return true
	}
	if slices.Contains(abilities[p.opt.Runner], a) {
		if slices.Contains(p.opt.Without, a) {
			p.fail(l, col, "", "this run cannot %s, which is not its own", a)
			return false
		}
		return true
	}
	p.fail(l, col, "", "the runner %q cannot %s; a condition such as [%s] before the line skips it there", p.opt.Runner, a, p.whoCan(a))
	return false
}

// canRule reports a rule of the network that cannot be made in this run.
func (p *parser) canRule(l line, r network.Rule) bool {
	if p.opt.Rule == nil || p.binding || p.conditional() {
		return true
	}
	err := p.opt.Rule(r)
	if err != nil {
		p.certainly(l, l.col(0), "%s; a condition such as [!%s] before the line skips it here", err, p.opt.Runner)
	}
	return err == nil
}

// conditional reports whether the line that is read, or a block around it, may be skipped by this runner.
func (p *parser) conditional() bool {
	conds := slices.Clone(p.mods.conds)
	for _, b := range p.blocks {
		conds = append(conds, b.step.conds...)
	}
	return slices.ContainsFunc(conds, func(c condition) bool { return c.not || c.name != p.opt.Runner })
}

// whoCan is a runner with that ability: the usual one, or another.
func (p *parser) whoCan(a Ability) string {
	for _, name := range append([]string{"process"}, Runners()...) {
		if slices.Contains(abilities[name], a) {
			return name
		}
	}
	return "!" + p.opt.Runner
}
