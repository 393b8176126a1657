package testcoord

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/event"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// predicate is what an expectation wants of one peer.
type predicate interface {
	// judge begins to judge a peer. With fresh only events from now on count. It is called with
	// the coordinator's lock held, as are the methods of the judge.
	judge(p *peer, fresh bool) judge
	// exact says that being true now may end by itself soon, so that a settling is needed.
	exact() bool
	// matters says whether the event helps to see why the predicate is false.
	matters(e *eventv1.Event) bool
}

// judge follows one peer.
type judge interface {
	// see is told each new event of the peer, in order, after the peer's view took it in.
	see(e *eventv1.Event)
	// verdict says how things are now.
	verdict() verdict
	// seen says what there is now, for a person.
	seen() string
}

// verdict is what a judge says.
type verdict byte

const (
	no       verdict = iota
	yes              // it holds
	hopeless         // it does not, and nothing that may still happen changes that
	unknown          // the peer was asked, and has not answered yet
)

func holds(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// comparison is "OP N". The operators are = != >= <= > <.
type comparison struct {
	op string
	n  int
}

func (c comparison) holds(got int) bool { return compares(c.op, cmp.Compare(got, c.n)) }

func compares(op string, order int) bool {
	switch op {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case ">=":
		return order >= 0
	case ">":
		return order > 0
	case "<":
		return order < 0
	}
	return order <= 0
}

// state is a judge of what the peer is now; it needs no memory.
type state struct {
	check func() verdict
	show  func() string
}

func (state) see(*eventv1.Event) {}
func (s state) verdict() verdict { return s.check() }
func (s state) seen() string     { return s.show() }

// ofMember reports whether an event changes a view, for one name or, with "", any.
func ofMember(e *eventv1.Event, name string) bool {
	_, about := memberEvent(e)
	return about != nil && (name == "" || about.GetPeer() == name)
}

// membersCount is "members STATE OP N".
type membersCount struct {
	state app.State
	want  comparison
}

func (membersCount) exact() bool                   { return false }
func (membersCount) matters(e *eventv1.Event) bool { return ofMember(e, "") }

func (m membersCount) judge(p *peer, _ bool) judge {
	return state{
		check: func() verdict { return holds(m.want.holds(p.view.count(m.state))) },
		show:  func() string { return p.view.String() },
	}
}

// membersInclude is "members include|exclude NAME…": all of them are alive, or none.
type membersInclude struct {
	names []string
	want  bool
}

func (membersInclude) exact() bool { return false }

func (m membersInclude) matters(e *eventv1.Event) bool {
	return slices.ContainsFunc(m.names, func(name string) bool { return ofMember(e, name) })
}

func (m membersInclude) judge(p *peer, _ bool) judge {
	return state{
		check: func() verdict {
			wrong := func(name string) bool { return p.view.is(name, app.Alive) != m.want }
			return holds(!slices.ContainsFunc(m.names, wrong))
		},
		show: func() string { return p.view.String() },
	}
}

// rosterSize is "roster size OP N".
type rosterSize struct{ want comparison }

func (rosterSize) exact() bool                   { return false }
func (rosterSize) matters(e *eventv1.Event) bool { return e.GetRoster() != nil }

func (r rosterSize) judge(p *peer, _ bool) judge {
	return state{
		check: func() verdict {
			size := p.rosterSize()
			return holds(size >= 0 && r.want.holds(size))
		},
		show: func() string {
			if size := p.rosterSize(); size >= 0 {
				return fmt.Sprintf("roster size %d", size)
			}
			return "no roster was seen yet"
		},
	}
}

// outputIs is "output = TEXT" or, with re, "output ~ /RE/".
type outputIs struct {
	text string
	re   *regexp.Regexp
}

func (outputIs) exact() bool                 { return false }
func (outputIs) matters(*eventv1.Event) bool { return false }

func (o outputIs) judge(p *peer, _ bool) judge {
	return state{
		check: func() verdict {
			got := strings.TrimRight(p.output, "\r\n")
			if p.ran && (o.re == nil && got == o.text || o.re != nil && o.re.MatchString(got)) {
				return yes
			}
			return p.idle(no)
		},
		show: func() string {
			if !p.ran {
				return "no command was run"
			}
			return "output " + strconv.Quote(shorten(strings.TrimRight(p.output, "\r\n")))
		},
	}
}

// fieldTest is field=value, field!=value or field~regexp.
type fieldTest struct {
	name, want string
	not        bool
	re         *regexp.Regexp
}

func (f fieldTest) holds(fields map[string]string) bool {
	got, ok := fields[f.name]
	if f.re != nil {
		return ok && f.re.MatchString(got)
	}
	return (got == f.want) != f.not
}

// eventCount is "event KIND …".
type eventCount struct {
	kind   string
	own    bool // the kind is that of an application, not of the schema
	fields []fieldTest
	want   comparison
}

func (c eventCount) exact() bool { return c.want.op != ">=" && c.want.op != ">" }

func (c eventCount) matters(e *eventv1.Event) bool {
	if own := e.GetCustom(); own != nil {
		return c.kind == "custom" || c.own && own.GetKind() == c.kind
	}
	return !c.own && event.Kind(e) == c.kind
}

func (c eventCount) holds(e *eventv1.Event) bool {
	if !c.matters(e) {
		return false
	}
	fields := event.Fields(e)
	if own := e.GetCustom(); own != nil {
		fields = maps.Clone(fields)
		if fields == nil {
			fields = map[string]string{}
		}
		fields["app"], fields["kind"] = own.GetApp(), own.GetKind()
	}
	return !slices.ContainsFunc(c.fields, func(f fieldTest) bool { return !f.holds(fields) })
}

func (c eventCount) judge(p *peer, fresh bool) judge {
	j := &counter{eventCount: c}
	if !fresh {
		for _, e := range p.log {
			j.see(e.Event)
		}
	}
	return j
}

// counter counts events.
type counter struct {
	eventCount
	n int
}

func (j *counter) see(e *eventv1.Event) {
	if j.eventCount.holds(e) {
		j.n++
	}
}

func (j *counter) verdict() verdict {
	switch {
	case j.want.holds(j.n):
		return yes
	case (j.want.op == "=" || j.want.op == "<=") && j.n > j.want.n, j.want.op == "<" && j.n >= j.want.n:
		return hopeless
	}
	return no
}

func (j *counter) seen() string { return fmt.Sprintf("%d such events", j.n) }
