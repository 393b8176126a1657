package testcoord

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"peerlab.example/peerlab/internal/command"
)

// who is the peers that a step is about.
type who struct {
	all   bool
	names []string // without doubles; empty when all is set
}

// reserved are words of WHO that cannot be names of peers.
var reserved = []string{"all", "others", "any", "within", "never"}

var (
	validName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,62}$`)
	rangeOf    = regexp.MustCompile(`^(.*)\[([^\[\]]*)\](.*)$`)
	rangeBound = regexp.MustCompile(`^([0-9]{1,6})\.\.([0-9]{1,6})$`)
)

// who reads a comma list. A mistake in it is reported, and ok is false then.
func (p *parser) who(l line, w command.Word) (out who, ok bool) {
	before := len(p.errs)
	col := w.Col
	taken := map[string]bool{}
	for element := range strings.SplitSeq(w.Text, ",") {
		part := command.Word{Text: element, Col: col}
		col += len(element) + 1
		switch element {
		case "all":
			out.all = true
			p.all = append(p.all, line{no: l.no, src: l.src, words: []command.Word{part}})
		case "others", "any":
			p.notYet(l, part.Col, fmt.Sprintf("%q", element))
		case "":
			p.fail(l, part.Col, "", "a list of peers has a name on each side of a comma, and no blanks: alice,bob")
		default:
			for _, name := range p.names(l, part) {
				if p.known(l, part.Col, name) && !taken[name] {
					out.names = append(out.names, name)
					taken[name] = true
				}
			}
		}
	}
	if out.all {
		out.names = nil
	}
	return out, len(p.errs) == before
}

// names expands p[1..3], and checks that each name can be one of a peer.
func (p *parser) names(l line, w command.Word) []string {
	if slices.Contains(reserved, w.Text) {
		p.fail(l, w.Col, "", "%q cannot be the name of a peer", w.Text)
		return nil
	}
	if _, taken := p.words[w.Text]; taken {
		p.fail(l, w.Col, "", "%q is a word of the language and cannot be the name of a peer", w.Text)
		return nil
	}
	m := rangeOf.FindStringSubmatch(w.Text)
	if m == nil {
		if !validName.MatchString(w.Text) {
			p.fail(l, w.Col, "", "%q is no name of a peer: a letter, and then letters, digits, '-', '_' or '.', at most 63", w.Text)
			return nil
		}
		return []string{w.Text}
	}
	out, msg := expand(m[1], m[2], m[3])
	if msg != "" {
		p.fail(l, w.Col, "", "%q: %s", w.Text, msg)
	}
	return out
}

// expand makes the names of a range; 01..20 keeps its zeros.
func expand(head, bounds, tail string) (names []string, msg string) {
	b := rangeBound.FindStringSubmatch(bounds)
	if b == nil {
		return nil, "a range is p[1..50]"
	}
	from, _ := strconv.Atoi(b[1])
	to, _ := strconv.Atoi(b[2])
	if from > to {
		return nil, fmt.Sprintf("the range goes from %d down to %d", from, to)
	}
	if to-from >= maxPeers {
		return nil, fmt.Sprintf("a suite has at most %d peers", maxPeers)
	}
	width := 0
	if strings.HasPrefix(b[1], "0") {
		width = len(b[1])
	}
	for n := from; n <= to; n++ {
		name := fmt.Sprintf("%s%0*d%s", head, width, n, tail)
		if !validName.MatchString(name) {
			return nil, fmt.Sprintf("%q is no name of a peer", name)
		}
		names = append(names, name)
	}
	return names, ""
}

// known reports whether the name is one of a peer, and declares it unless there is a "peers" line.
func (p *parser) known(l line, col int, name string) bool {
	if p.named[name] {
		return true
	}
	if p.declared {
		p.fail(l, col, command.Nearest(name, p.suite.Peers), "no peer is named %q", name)
		return false
	}
	return p.add(l, col, name)
}

func (p *parser) add(l line, col int, name string) bool {
	if len(p.suite.Peers) == maxPeers {
		p.fail(l, col, "", "a suite has at most %d peers", maxPeers)
		return false
	}
	p.suite.Peers = append(p.suite.Peers, name)
	p.named[name] = true
	return true
}
