package testcoord

import (
	"maps"
	"slices"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/command"
)

// Measure is a line that asks for durations to be taken from the event log of the whole run, or a step that takes a rate.
type Measure struct {
	Name string
	Line int
	Text string

	rate     bool
	from, to eventCount
	by       who // whose events are meant; all when nothing is said
}

// measure reads "measure NAME from EVENT to EVENT [by WHO]", and "measure NAME rate …".
func (p *parser) measure(l line) {
	const usage = "measure delay from sent to message"
	at := func(word string) int {
		for i := range l.words {
			if l.is(i, word) {
				return i
			}
		}
		return len(l.words)
	}
	from, to, by := at("from"), at("to"), at("by")
	rate := l.is(2, "rate")
	switch {
	case len(l.words) < 2 || !rate && (from != 2 || to <= from+1 || to+1 >= by):
		p.fail(l, l.col(min(from, len(l.words))), "", "a measure has a name and two events: %s", usage)
		return
	case !eventName.MatchString(l.words[1].Text):
		p.fail(l, l.col(1), "", "%q cannot be the name of a measure", l.words[1].Text)
		return
	case slices.ContainsFunc(p.suite.Measures, func(m Measure) bool { return m.Name == l.words[1].Text }):
		p.fail(l, l.col(1), "", "measure %s is said twice", l.words[1].Text)
		return
	case rate:
		p.rate(l)
		return
	}
	m := Measure{Name: l.words[1].Text, Line: l.no, Text: l.text(), by: who{all: true}}
	begin, okBegin := p.measured(l, from+1, to)
	end, okEnd := p.measured(l, to+1, by)
	m.from, m.to = begin, end
	if by < len(l.words) {
		rest := l.after(by + 1)
		if len(rest.words) == 0 {
			p.fail(l, l.end(), "", "by whom? %s by alice", usage)
			return
		}
		var ok bool
		if m.by, rest, ok = p.who(rest); !ok || !p.nothingAfter(rest, 0) {
			return
		}
		if m.by.others || m.by.any > 0 {
			p.fail(l, l.col(by+1), "", "a measure is of the whole run, where %s are nobody", l.words[by+1].Text)
			return
		}
	}
	if okBegin && okEnd {
		p.suite.Measures = append(p.suite.Measures, m)
	}
}

// measured reads the event in the words from i to j.
func (p *parser) measured(l line, i, j int) (eventCount, bool) {
	l.words = l.words[i:j]
	e, ok := p.eventPredicate(l).(eventCount)
	if ok && strings.Contains(" "+l.text()+" ", " x ") {
		p.fail(l, l.col(0), "", "a measure takes each such event, and has no number of them")
		return e, false
	}
	return e, ok
}

// expectMeasure reads "NAME QUANTILE OP D", or with a number where the measure is a rate.
func (p *parser) expectMeasure(l line) {
	text := l.shown()
	l = l.after(1)
	i := slices.IndexFunc(p.suite.Measures, func(m Measure) bool { return m.Name == firstText(l) })
	known := slices.Sorted(maps.Keys(quantiles))
	switch {
	case len(l.words) == 0:
		p.fail(l, l.end(), "", "expect what of a measure? expect measure join p95 < 2s")
		return
	case i < 0:
		var names []string
		for _, m := range p.suite.Measures {
			names = append(names, m.Name)
		}
		p.fail(l, l.col(0), command.Nearest(firstText(l), names), "no line before this is a measure %q", firstText(l))
		return
	case len(l.words) == 1 || quantiles[l.words[1].Text] == 0 && !l.is(1, "min"):
		p.fail(l, l.col(1), "", "a measure has %s", list(known))
		return
	}
	step := &measureStep{measure: p.suite.Measures[i], quantile: l.words[1].Text, text: text}
	var ok bool
	if step.op, ok = p.operator(l.after(2), "expect measure join p95 < 2s"); !ok {
		return
	}
	if step.measure.rate {
		step.want, ok = p.float(l, 3, false)
	} else {
		var d time.Duration
		d, ok = p.duration(l, 3)
		step.want = float64(d)
	}
	if ok && p.nothingAfter(l, 4) {
		p.step(l, step)
	}
}
