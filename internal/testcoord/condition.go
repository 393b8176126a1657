package testcoord

import (
	"slices"
	"strings"

	"peerlab.example/peerlab/internal/command"
)

// condition is one "[NAME]" or "[!NAME]" before a step.
type condition struct {
	name string
	not  bool
}

func (c condition) String() string {
	if c.not {
		return "[!" + c.name + "]"
	}
	return "[" + c.name + "]"
}

// facts of the system that a condition may name, beside the runners.
var facts = []string{"linux", "root"}

// conditions reads "[sim] [!root] …" at the beginning of a line. ok is false when one is wrong, or nothing follows.
func (p *parser) conditions(l line) (rest line, ok bool) {
	known := append(slices.Clone(facts), Runners()...)
	slices.Sort(known)
	for len(l.words) > 0 && !l.words[0].Quoted && strings.HasPrefix(l.words[0].Text, "[") {
		w := l.words[0]
		name, closed := strings.CutSuffix(w.Text[1:], "]")
		if !closed {
			p.fail(l, w.Col, "", "a condition is one word in brackets: [sim], [!netns]")
			return l, false
		}
		name, not := strings.CutPrefix(name, "!")
		if !slices.Contains(known, name) {
			hint := command.Nearest(name, known)
			if hint != "" {
				hint = condition{hint, not}.String()
			}
			p.fail(l, w.Col, hint, "unknown condition %q: there are %s, each also with an !", name, list(known))
			return l, false
		}
		p.mods.conds = append(p.mods.conds, condition{name, not})
		l = l.after(1)
	}
	if len(l.words) == 0 {
		p.fail(l, l.end(), "", "a condition stands before a step: [linux] alice noop")
		return l, false
	}
	return l, true
}

// fails returns the first of the conditions that does not hold.
func (c *Coordinator) fails(conds []condition) (condition, bool) {
	for _, cond := range conds {
		if slices.Contains(c.opt.Facts, cond.name) == cond.not {
			return cond, true
		}
	}
	return condition{}, false
}
