package testcoord

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/network"
)

// who is the peers that a step is about.
type who struct {
	all    bool
	others bool     // all but those of the last step that named some
	any    int      // so many of all; 0 is not said
	names  []string // without doubles; empty when one of the others is set
}

// reserved are words of WHO, and of rules of the network, where they would hide a peer or a group of that name.
var reserved = []string{"all", "others", "any", "within", "never", "always", "on", "for", "as", "except"}

// whatNames says what validName allows.
const whatNames = "a letter, and then letters, digits, '-', '_' or '.', at most 63"

var (
	validName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,62}$`)
	markedWho  = regexp.MustCompile(`^([!?])([A-Za-z].*)$`)
	rangeOf    = regexp.MustCompile(`^(.*)\[([^\[\]]*)\](.*)$`)
	rangeBound = regexp.MustCompile(`^([0-9]{1,6})\.\.([0-9]{1,6})$`)
)

// who reads WHO at the beginning of a line: a comma list, all, others, any, or "any N". rest is what follows. A mistake in it
// is reported, and ok is false then.
func (p *parser) who(l line) (out who, rest line, ok bool) {
	w := l.words[0]
	rest = l.after(1)
	if perPeer.MatchString(w.Raw) {
		p.certainly(l, w.Col, "$SELF and $I are of the peers that this word names, and have no value in it")
		return out, rest, false
	}
	switch w.Text {
	case "others":
		if !p.said && !p.binding {
			p.fail(l, w.Col, "", "others are all but those of the line before, and no line before this names any")
			return out, rest, false
		}
		return who{others: true}, rest, true
	case "any":
		out.any = 1
		if n, err := strconv.Atoi(firstText(rest)); err == nil {
			rest = rest.after(1)
			if n < 1 || n > maxPeers {
				p.fail(l, l.col(1), "", "any takes 1 to %d peers", maxPeers)
				return out, rest, false
			}
			out.any = n
		}
	default:
		before := len(p.errs)
		for _, name := range p.elements(l, w) {
			if name == "all" {
				out.all = true
			} else if !slices.Contains(out.names, name) {
				out.names = append(out.names, name)
			}
		}
		if len(p.errs) > before {
			return out, rest, false
		}
	}
	if out.all {
		out.names = nil
	}
	if out.all || out.any > 0 {
		p.enough(l, w, max(1, out.any))
	}
	p.said = true
	return out, rest, true
}

// enough wants the suite to have so many peers, of which the word speaks.
func (p *parser) enough(l line, w command.Word, n int) {
	named := p.named // which all parsers of the suite share
	add := func(wrong func() bool, format string, args ...any) {
		p.later = append(p.later, later{wrong, p.mistake(l, w.Col, "", format, args...)})
	}
	add(func() bool { return len(named) == 0 }, "%s, but the suite names no peer", w.Text)
	add(func() bool { return len(named) > 0 && len(named) < n }, "any %d, but the suite has fewer peers", n)
}

func firstText(l line) string {
	if len(l.words) == 0 {
		return ""
	}
	return l.words[0].Text
}

// elements are the names of a comma list, with groups and ranges as what they stand for; "all" stays.
func (p *parser) elements(l line, w command.Word) []string {
	var out []string
	col := w.Col
	for element := range strings.SplitSeq(w.Text, ",") {
		part := command.Word{Text: element, Raw: w.Raw, Col: col}
		col += len(element) + 1
		members, isGroup := p.groups[element]
		switch {
		case element == "all":
			out = append(out, element)
		case isGroup:
			out = append(out, members...)
		case element == "":
			p.fail(l, part.Col, "", "a list of peers has a name on each side of a comma, and no blanks: alice,bob")
		case element == "others" || element == "any":
			p.fail(l, part.Col, "", "%q stands alone, not in a list", element)
		default:
			for _, name := range p.names(l, part) {
				if !p.known(l, part, name) {
					break // one of a range is enough
				}
				out = append(out, name)
			}
		}
	}
	return out
}

// names expands p[1..3], and checks that each name can be one of a peer.
func (p *parser) names(l line, w command.Word) []string {
	if why := p.taken(w.Text); why != "" {
		hint := ""
		if w.Text == network.Others {
			hint = "all"
		}
		p.fail(l, w.Col, hint, "%s, and cannot be the name of a peer", why)
		return nil
	}
	m := rangeOf.FindStringSubmatch(w.Text)
	if m == nil {
		if !validName.MatchString(w.Text) {
			hint := ""
			if m := markedWho.FindStringSubmatch(w.Text); m != nil {
				hint = m[1] + " " + m[2]
			} else if strings.Contains(w.Text, ",") {
				hint = strings.ReplaceAll(w.Text, ",", " ")
			}
			p.fail(l, w.Col, hint, "%q is no name of a peer: %s", w.Text, whatNames)
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

// taken says what a word means in a suite that therefore cannot be the name of a peer or a group, or "".
func (p *parser) taken(name string) string {
	_, first := p.words[name]
	switch {
	case name == network.Bootstrap:
		return fmt.Sprintf("%q is the bootstrap service in rules of the network", name)
	case name == network.Others:
		return fmt.Sprintf("%q is all other peers in rules of the network", name)
	case first || slices.Contains(reserved, name):
		return fmt.Sprintf("%q is a word of the language", name)
	}
	return ""
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

// known reports whether the name is one of a peer, and declares it unless there is a "peers" line or it is the value of a
// variable.
func (p *parser) known(l line, w command.Word, name string) bool {
	if p.named[name] {
		return true
	}
	if p.declared || strings.Contains(w.Raw, "$") {
		p.fail(l, w.Col, command.Nearest(name, p.peersAndGroups()), "no peer is named %q", name)
		return false
	}
	return p.add(l, w.Col, name)
}

// peersAndGroups are the names that may have been meant.
func (p *parser) peersAndGroups() []string {
	return append(slices.Clone(p.suite.Peers), slices.Sorted(maps.Keys(p.groups))...)
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
