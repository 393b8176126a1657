package testcoord

import (
	"fmt"
	"slices"
	"time"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/invariant"
)

// Invariant is a line that asks for something to hold over the whole run.
type Invariant struct {
	Name string
	// Within is the time that some take; 0 is their default.
	Within time.Duration
	Line   int
	Text   string
}

// invariant reads "invariant NAME [within D]".
func (p *parser) invariant(l line) {
	var names []string
	for _, c := range invariant.Checks() {
		names = append(names, c.Name)
	}
	if len(l.words) < 2 {
		p.fail(l, l.end(), "", "invariant needs a name: %s", list(names))
		return
	}
	name := l.words[1].Text
	check, ok := invariant.Find(name)
	if !ok {
		p.fail(l, l.col(1), command.Nearest(name, names), "unknown invariant %q: there are %s", name, list(names))
		return
	}
	if slices.ContainsFunc(p.suite.Invariants, func(i Invariant) bool { return i.Name == name }) {
		p.fail(l, l.col(1), "", "invariant %s is said twice", name)
		return
	}
	inv := Invariant{Name: name, Line: l.no, Text: l.text()}
	switch {
	case len(l.words) == 2:
	case !l.is(2, "within"):
		p.fail(l, l.col(2), "", "unexpected %q", l.words[2].Text)
		return
	case !check.Within:
		p.fail(l, l.col(2), "", "invariant %s holds at all times, not within one", name)
		return
	default:
		if inv.Within, ok = p.duration(l, 3); !ok || !p.nothingAfter(l, 4) {
			return
		}
	}
	p.suite.Invariants = append(p.suite.Invariants, inv)
}

// list is "a, b and c".
func list(names []string) string {
	out := ""
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			out += " and "
		default:
			out += ", "
		}
		out += name
	}
	return out
}

// judgeInvariants checks what the suite wants to hold over the whole run, also when a step has failed: a
// violation may say why.
func (c *Coordinator) judgeInvariants() {
	if len(c.suite.Invariants) == 0 {
		return
	}
	log, missed := c.Log()
	for _, inv := range c.suite.Invariants {
		check, _ := invariant.Find(inv.Name) // it was parsed
		begin := time.Now()
		violations := check.Run(log, inv.Within)
		c.result.Invariants = append(c.result.Invariants, InvariantRecord{Name: inv.Name, Violations: violations})
		rec := StepRecord{Line: inv.Line, Text: inv.Text, Invariant: true, Status: Passed, Start: begin.Sub(c.start), Duration: time.Since(begin)}
		switch {
		case len(violations) > 0:
			rec.Status, rec.Err = Failed, violations[0].Message
			rec.Details = details(violations)
		case missed > 0:
			rec.Status = Failed
			rec.Err = fmt.Sprintf("it cannot be judged: %d events were lost on the way to the coordinator", missed)
		}
		c.report(rec)
	}
}

// details are all violations, each with its proof.
func details(violations []invariant.Violation) []string {
	var out []string
	for i, v := range violations {
		if i > 0 {
			out = append(out, v.Message)
		}
		for _, e := range v.Proof {
			out = append(out, "    "+shorten(e.String()))
		}
	}
	if len(violations) == invariant.Most {
		out = append(out, "and perhaps more")
	}
	return out
}

// Log is what is known of the run so far, and how many events never arrived. Before the end of Run it lacks what is still
// to come.
func (c *Coordinator) Log() (log invariant.Log, missed uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	log.End = now.Sub(c.start)
	for _, name := range c.suite.Peers {
		p := c.peers[name]
		missed += p.missed
		for _, e := range p.log {
			log.Entries = append(log.Entries, c.entryOf(p, e))
		}
		for _, l := range p.lives {
			log.Lives = append(log.Lives, c.recordOf(l, now))
		}
	}
	return log, missed
}
