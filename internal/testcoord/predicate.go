package testcoord

import (
	"cmp"
	"encoding/json"
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
)

func holds(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// comparison is "OP N".
type comparison struct {
	op string // = != >= <=
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
	}
	return order <= 0
}

// state is a judge of what the peer is now; it needs no memory.
type state struct {
	check func() (verdict, string)
}

func (state) see(*eventv1.Event) {}
func (s state) verdict() verdict { v, _ := s.check(); return v }
func (s state) seen() string     { _, text := s.check(); return text }

// membersCount is "members STATE OP N".
type membersCount struct {
	state app.State
	want  comparison
}

func (membersCount) exact() bool { return false }

func (m membersCount) judge(p *peer, _ bool) judge {
	return state{func() (verdict, string) {
		return holds(m.want.holds(len(p.view.in(m.state)))), p.view.String()
	}}
}

func (membersCount) matters(e *eventv1.Event) bool { return memberEvent(e) != "" }

// membersInclude is "members include|exclude NAME".
type membersInclude struct {
	name string
	want bool
}

func (membersInclude) exact() bool { return false }

func (m membersInclude) judge(p *peer, _ bool) judge {
	return state{func() (verdict, string) {
		return holds((p.view[m.name] == app.Alive) == m.want), p.view.String()
	}}
}

func (m membersInclude) matters(e *eventv1.Event) bool { return memberEvent(e) != "" }

// rosterSize is "roster size OP N".
type rosterSize struct{ want comparison }

func (rosterSize) exact() bool { return false }

func (r rosterSize) judge(p *peer, _ bool) judge {
	return state{func() (verdict, string) {
		size := p.rosterSize()
		if size < 0 {
			return no, "no roster was seen yet"
		}
		return holds(r.want.holds(size)), fmt.Sprintf("roster size %d", size)
	}}
}

func (rosterSize) matters(e *eventv1.Event) bool { return e.GetRoster() != nil }

// outputIs is "output = TEXT" or, with re, "output ~ /RE/".
type outputIs struct {
	text string
	re   *regexp.Regexp
}

func (outputIs) exact() bool { return false }

func (o outputIs) judge(p *peer, _ bool) judge {
	return state{func() (verdict, string) {
		if !p.ran {
			return p.idle(no), "no command was run"
		}
		got := strings.TrimRight(p.output, "\r\n")
		ok := got == o.text
		if o.re != nil {
			ok = o.re.MatchString(got)
		}
		if ok {
			return yes, strconv.Quote(got)
		}
		return p.idle(no), "output " + strconv.Quote(shorten(got))
	}}
}

func (outputIs) matters(*eventv1.Event) bool { return false }

// jsonIs is "json PATH OP VALUE".
type jsonIs struct {
	path path
	op   string // of operators, or ~
	want string
	re   *regexp.Regexp
}

func (jsonIs) exact() bool { return false }

func (j jsonIs) judge(p *peer, _ bool) judge {
	return state{func() (verdict, string) {
		if p.result == "" {
			return p.idle(no), "the last command had no result"
		}
		got, err := j.path.find(p.result)
		if err != nil {
			return p.idle(no), fmt.Sprintf("%s in %s", err, shorten(p.result))
		}
		if j.holds(got) {
			return yes, got
		}
		return p.idle(no), fmt.Sprintf("%s is %s", j.path, shorten(got))
	}}
}

func (j jsonIs) holds(got string) bool {
	if j.op == "~" {
		return j.re.MatchString(got)
	}
	a, errA := strconv.ParseFloat(got, 64)
	b, errB := strconv.ParseFloat(j.want, 64)
	if errA == nil && errB == nil {
		return compares(j.op, cmp.Compare(a, b))
	}
	return (j.op == "=" || j.op == "!=") && compares(j.op, strings.Compare(got, j.want))
}

func (jsonIs) matters(*eventv1.Event) bool { return false }

// path is the way to a value in JSON.
type path struct {
	text  string
	steps []any // string or int
}

func (p path) String() string { return p.text }

var pathStep = regexp.MustCompile(`^(?:\.?([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]{1,6})\])`)

// parsePath reads ., name, [0].name, a.b[2].
func parsePath(s string) (path, error) {
	p := path{text: s}
	for rest := s; rest != "" && s != "."; {
		m := pathStep.FindStringSubmatch(rest)
		if m == nil {
			return path{}, fmt.Errorf("%q is no path such as . or [0].name", s)
		}
		if m[1] != "" {
			p.steps = append(p.steps, m[1])
		} else {
			n, _ := strconv.Atoi(m[2])
			p.steps = append(p.steps, n)
		}
		rest = rest[len(m[0]):]
	}
	return p, nil
}

// find returns the value as text: a string as it is, everything else as JSON.
func (p path) find(doc string) (string, error) {
	raw := json.RawMessage(doc)
	for _, s := range p.steps {
		var next json.RawMessage
		switch s := s.(type) {
		case string:
			var object map[string]json.RawMessage
			if err := json.Unmarshal(raw, &object); err == nil {
				next = object[s]
			}
		case int:
			var array []json.RawMessage
			if err := json.Unmarshal(raw, &array); err == nil && s < len(array) {
				next = array[s]
			}
		}
		if next == nil {
			return "", fmt.Errorf("no %s", p.text)
		}
		raw = next
	}
	var text string
	if err := json.Unmarshal(raw, &text); err == nil && string(raw) != "null" {
		return text, nil
	}
	return string(raw), nil
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

func (c eventCount) exact() bool { return c.want.op == "=" || c.want.op == "<=" || c.want.op == "!=" }

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
	case (j.want.op == "=" || j.want.op == "<=") && j.n > j.want.n:
		return hopeless
	}
	return no
}

func (j *counter) seen() string { return fmt.Sprintf("%d such events", j.n) }
