package testcoord

import (
	"testing"

	"peerlab.example/peerlab/app"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// TestViewOfRestarts checks that a name is alive while one of its starts is, whatever becomes of the others.
func TestViewOfRestarts(t *testing.T) {
	t.Parallel()
	m := func(id string) *eventv1.Member { return &eventv1.Member{Peer: "carol", Id: id} }
	events := []struct {
		event *eventv1.Event
		want  app.State
	}{
		{&eventv1.Event{What: &eventv1.Event_Joined{Joined: m("1")}}, app.Alive},
		{&eventv1.Event{What: &eventv1.Event_Suspected{Suspected: m("1")}}, app.Suspect},
		{&eventv1.Event{What: &eventv1.Event_Joined{Joined: m("2")}}, app.Alive},
		{&eventv1.Event{What: &eventv1.Event_Lost{Lost: m("1")}}, app.Alive},
		{&eventv1.Event{What: &eventv1.Event_Updated{Updated: m("1")}}, app.Alive},
		{&eventv1.Event{What: &eventv1.Event_Suspected{Suspected: m("2")}}, app.Suspect},
		{&eventv1.Event{What: &eventv1.Event_Recovered{Recovered: m("2")}}, app.Alive},
		{&eventv1.Event{What: &eventv1.Event_Left{Left: m("2")}}, app.Left},
		{&eventv1.Event{Node: "bob", What: &eventv1.Event_Joined{Joined: &eventv1.Member{Peer: "bob"}}}, app.Left},
		{&eventv1.Event{Node: "bob", What: &eventv1.Event_Left{Left: &eventv1.Member{Peer: "bob"}}}, ""},
	}
	v := view{}
	for i, e := range events {
		v.fold(e.event)
		if got := v["carol"]; e.want == "" && got != nil || e.want != "" && !v.is("carol", e.want) {
			t.Errorf("after event %d: %v", i, v)
		}
	}
	if got := v.String(); got != "1 left (bob)" {
		t.Error(got)
	}
}

// TestViewOfOneWhoHearsOfItsFormerStart checks that a peer which has left and joined again keeps its view when others tell it late what has
// become of its first start.
func TestViewOfOneWhoHearsOfItsFormerStart(t *testing.T) {
	t.Parallel()
	joined := func(name, id string) *eventv1.Event {
		return &eventv1.Event{Node: "bob", What: &eventv1.Event_Joined{Joined: &eventv1.Member{Peer: name, Id: id}}}
	}
	left := func(id string) *eventv1.Event {
		return &eventv1.Event{Node: "bob", What: &eventv1.Event_Left{Left: &eventv1.Member{Peer: "bob", Id: id}}}
	}
	v := view{}
	for i, step := range []struct {
		event *eventv1.Event
		want  string
	}{
		{joined("bob", "1"), "1 alive (bob)"},
		{left("1"), "1 left (bob)"},
		{joined("bob", "2"), "1 alive (bob)"},
		{joined("alice", "3"), "2 alive (alice bob)"},
		{joined("bob", "1"), "2 alive (alice bob)"},
		{left("1"), "2 alive (alice bob)"},
		{left("2"), "1 left (bob)"},
	} {
		v.fold(step.event)
		if got := v.String(); got != step.want {
			t.Errorf("after event %d: %s, want %s", i, got, step.want)
		}
	}
}
