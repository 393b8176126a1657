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

// view is what a peer believes of the members, by name, folded from its events. The peer itself
// is in it once it has joined.
type view map[string]app.State

// memberEvent is the kind of an event that changes a view, or "".
func memberEvent(e *eventv1.Event) app.Change {
	switch e.GetWhat().(type) {
	case *eventv1.Event_Joined:
		return app.Joined
	case *eventv1.Event_Suspected:
		return app.Suspected
	case *eventv1.Event_Recovered:
		return app.Recovered
	case *eventv1.Event_Left:
		return app.HasLeft
	case *eventv1.Event_Lost:
		return app.WasLost
	}
	return ""
}

// fold takes an event in. Who leaves the group itself knows nothing of the others any more.
func (v view) fold(e *eventv1.Event) {
	switch memberEvent(e) {
	case app.Joined:
		v[e.GetJoined().GetPeer()] = app.Alive
	case app.Recovered:
		v[e.GetRecovered().GetPeer()] = app.Alive
	case app.Suspected:
		v[e.GetSuspected().GetPeer()] = app.Suspect
	case app.WasLost:
		v[e.GetLost().GetPeer()] = app.Lost
	case app.HasLeft:
		name := e.GetLeft().GetPeer()
		if name == e.GetNode() {
			clear(v)
		}
		v[name] = app.Left
	case app.Updated:
	}
}

func (v view) count(s app.State) int {
	n := 0
	for _, state := range v {
		if state == s {
			n++
		}
	}
	return n
}

// in are the names of the members in a state.
func (v view) in(s app.State) []string {
	var out []string
	for name, state := range v {
		if state == s {
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
