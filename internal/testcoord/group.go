package testcoord

import "slices"

// group reads "group NAME = PEERS…".
func (p *parser) group(l line) {
	if len(l.words) < 4 || !l.is(2, "=") {
		p.fail(l, l.col(min(len(l.words), 2)), "", "a group is a name for several peers: group left = alice bob")
		return
	}
	name := l.words[1]
	_, defined := p.groups[name.Text]
	why := p.taken(name.Text)
	switch {
	case why != "":
		p.fail(l, name.Col, "", "%s, and cannot be the name of a group", why)
		return
	case !validName.MatchString(name.Text):
		p.fail(l, name.Col, "", "%q is no name of a group: %s", name.Text, whatNames)
		return
	case p.named[name.Text]:
		p.fail(l, name.Col, "", "%q is a peer, and cannot be a group, too", name.Text)
		return
	case defined:
		p.fail(l, name.Col, "", "group %q is defined twice", name.Text)
		return
	}
	var members []string
	for _, w := range l.words[3:] {
		for _, one := range p.elements(l, w) {
			if one == "all" {
				p.fail(l, w.Col, "", "all are those that the suite has not ended, which changes, and no part of a group")
				continue
			}
			if !slices.Contains(members, one) {
				members = append(members, one)
			}
		}
	}
	p.groups[name.Text] = members // also when they are wrong: the name is there
}
