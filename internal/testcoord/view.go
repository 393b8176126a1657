package testcoord

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// view is what a peer believes of the members, folded from its events. The peer itself is in it
// once it has joined.
//
// A name may have had several starts, told apart by their ids, and the end of an old one is often
// noticed after the new one has joined. A name is alive if one of its starts is.
type view map[string]*member

// member is what is believed of all starts of one name.
type member struct {
	starts map[string]app.State // by id
	last   app.State            // of the start that changed last
	own    string               // the id under which the peer itself has joined, if this is its own name
}

func (m *member) state() app.State {
	best := m.last
	for _, s := range m.starts {
		if s == app.Alive || s == app.Suspect && best != app.Alive {
			best = s
		}
	}
	return best
}

// memberEvent is the kind of an event that changes a view, and the member that it is about; or "".
func memberEvent(e *eventv1.Event) (app.Change, *eventv1.Member) {
	switch what := e.GetWhat().(type) {
	case *eventv1.Event_Joined:
		return app.Joined, what.Joined
	case *eventv1.Event_Suspected:
		return app.Suspected, what.Suspected
	case *eventv1.Event_Recovered:
		return app.Recovered, what.Recovered
	case *eventv1.Event_Left:
		return app.HasLeft, what.Left
	case *eventv1.Event_Lost:
		return app.WasLost, what.Lost
	}
	return "", nil
}

// fold takes an event in. Who leaves the group itself knows nothing of the others any more. That an earlier start of it has left is
// news like any other.
func (v view) fold(e *eventv1.Event) {
	change, about := memberEvent(e)
	var s app.State
	switch change {
	case app.Joined, app.Recovered:
		s = app.Alive
	case app.Suspected:
		s = app.Suspect
	case app.WasLost:
		s = app.Lost
	case app.HasLeft:
		s = app.Left
		if m := v[about.GetPeer()]; about.GetPeer() == e.GetNode() && (m == nil || m.own == "" || m.own == about.GetId()) {
			clear(v)
		}
	default:
		return
	}
	m := v[about.GetPeer()]
	if m == nil {
		m = &member{starts: map[string]app.State{}}
		v[about.GetPeer()] = m
	}
	if change == app.Joined && about.GetPeer() == e.GetNode() && m.own == "" {
		m.own = about.GetId()
	}
	m.starts[about.GetId()], m.last = s, s
}

// is reports whether the member of that name is in the state.
func (v view) is(name string, s app.State) bool {
	m := v[name]
	return m != nil && m.state() == s
}

// count is how many names are in a state.
func (v view) count(s app.State) int {
	n := 0
	for _, m := range v {
		if m.state() == s {
			n++
		}
	}
	return n
}

// in are the names that are in a state.
func (v view) in(s app.State) []string {
	var out []string
	for name, m := range v {
		if m.state() == s {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// namesShown is how many names of one state are shown.
const namesShown = 12

// String is "2 alive (alice bob), 1 lost (carol)".
func (v view) String() string {
	var parts []string
	for _, s := range []app.State{app.Alive, app.Suspect, app.Left, app.Lost} {
		names := v.in(s)
		if len(names) == 0 {
			continue
		}
		more := ""
		if len(names) > namesShown {
			more = fmt.Sprintf(" and %d more", len(names)-namesShown)
			names = names[:namesShown]
		}
		parts = append(parts, fmt.Sprintf("%d %s (%s%s)", len(v.in(s)), s, strings.Join(names, " "), more))
	}
	if len(parts) == 0 {
		return "no members"
	}
	return strings.Join(parts, ", ")
}

// describe is an event on one line: its kind and those of its fields that say something.
func describe(e *eventv1.Event) string {
	fields := event.Fields(e)
	names := make([]string, 0, len(fields))
	if _, about := memberEvent(e); about != nil && len(about.GetId()) > 8 {
		fields["id"] = about.GetId()[:8] // enough to tell starts apart
	}
	for name, value := range fields {
		if value != "" && value != "0" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString(event.Kind(e))
	for _, name := range names {
		fmt.Fprintf(&b, " %s=%s", name, command.Quote(shorten(fields[name])))
	}
	return command.Clean(b.String())
}

// shorten cuts text that would flood a screen.
func shorten(s string) string {
	const limit = 200
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}

// since shows a time of the run.
func since(start, t time.Time) string { return "+" + command.Duration(t.Sub(start)) }
