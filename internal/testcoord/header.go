package testcoord

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// profiles are the gossip profiles that a suite may name.
var profiles = []string{"lan", "wan", "local", "fast"}

// once reports whether a header word stands for the first time, with something after it.
func (p *parser) once(l line, what string) bool {
	name := l.words[0].Text
	if p.foreign() {
		return false
	}
	if before, ok := p.defined[name]; ok {
		p.fail(l, l.col(0), "", "%s is set in line %d already", name, before)
		return false
	}
	p.defined[name] = l.no
	if len(l.words) == 1 {
		p.fail(l, l.end(), "", "%s needs %s", name, what)
		return false
	}
	return true
}

func (p *parser) suiteName(l line) {
	if p.once(l, `a name: suite "partition and heal"`) {
		p.suite.Name = l.after(1).text()
	}
}

func (p *parser) tags(l line) {
	if !p.once(l, "one or more words") {
		return
	}
	for _, w := range l.words[1:] {
		p.suite.Tags = append(p.suite.Tags, w.Text)
	}
}

func (p *parser) timeout(l line) {
	if !p.once(l, "a duration such as 2m") {
		return
	}
	p.suite.Timeout, _ = p.duration(l, 1)
	p.nothingAfter(l, 2)
}

func (p *parser) profile(l line) {
	if !p.once(l, "one of "+strings.Join(profiles, ", ")) {
		return
	}
	p.suite.Profile = l.words[1].Text
	if !slices.Contains(profiles, p.suite.Profile) {
		p.fail(l, l.col(1), command.Nearest(p.suite.Profile, profiles), "profile %q is none of %s", p.suite.Profile, strings.Join(profiles, ", "))
	}
	p.nothingAfter(l, 2)
}

// seed reads "seed N".
func (p *parser) seed(l line) {
	if !p.once(l, "a number: seed 42") {
		return
	}
	n, err := strconv.ParseUint(l.words[1].Text, 10, 64)
	if err != nil || n == 0 {
		p.fail(l, l.col(1), "", "a seed is a whole number from 1 to %d, and not %q", uint64(math.MaxUint64), l.words[1].Text)
	}
	p.suite.Seed = n
	p.nothingAfter(l, 2)
}

func (p *parser) peers(l line) {
	p.declared = true
	if len(l.words) == 1 {
		p.fail(l, l.end(), "", "peers needs names: peers alice bob p[1..50]")
	}
	for _, w := range l.words[1:] {
		for _, name := range p.names(l, w) {
			_, group := p.groups[name]
			switch {
			case group:
				p.fail(l, w.Col, "", "%q is a group, and cannot be a peer, too", name)
				continue
			case p.named[name] && p.foreign():
				continue // a file that is included says whom it needs
			case p.named[name] && !p.listed[name]:
				p.fail(l, w.Col, "", "peer %q was named in a line before this; peers are declared first", name)
				continue
			case p.named[name]:
				p.fail(l, w.Col, "", "peer %q is declared twice", name)
				continue
			}
			p.listed[name] = p.add(l, w.Col, name)
		}
	}
}

func (p *parser) section(l line) {
	if len(l.words) == 1 {
		p.fail(l, l.end(), "", `section needs a title: section "the split"`)
		return
	}
	if p.around("parallel") != nil {
		p.fail(l, l.col(0), "", "a section groups what happens one after the other, and cannot begin in a parallel block")
		return
	}
	p.step(l, section{title: l.after(1).text()})
}

// duration reads word i. Zero is an error, since nothing waits for no time.
func (p *parser) duration(l line, i int) (time.Duration, bool) {
	if i >= len(l.words) {
		p.fail(l, l.end(), "", "a duration such as 300ms, 1.5s or 2m is missing")
		return 0, false
	}
	d, err := app.ParseDuration(l.words[i].Text)
	if err != nil {
		p.fail(l, l.col(i), "", "%s", err)
		return 0, false
	}
	if d == 0 {
		p.fail(l, l.col(i), "", "a duration must be larger than 0")
	}
	return d, d > 0
}

// nothingAfter reports a word too many at place i.
func (p *parser) nothingAfter(l line, i int) bool {
	if i < len(l.words) {
		// The value of a variable is one word, so that the number of words is known.
		p.certainly(l, l.col(i), "unexpected %q", strings.TrimSpace(l.words[i].Raw))
		return false
	}
	return true
}
