package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// numberedEvent is an event that a peer has logged in one of its lives.
func numberedEvent(at time.Duration, node string, life int, seq uint64, e *eventv1.Event) Event {
	e.Node, e.Seq = node, seq
	return Event{At: at, Life: life, Event: e}
}

func joinedEvent(name, id string) *eventv1.Event {
	return &eventv1.Event{What: &eventv1.Event_Joined{Joined: &eventv1.Member{Peer: name, Id: id}}}
}

func TestEventsOfALifeStayInTheirOrder(t *testing.T) {
	t.Parallel()
	at := func(ms int, node string, life int, seq uint64) Event {
		return numberedEvent(time.Duration(ms)*time.Millisecond, node, life, seq, &eventv1.Event{})
	}
	// Alice's clock and numbers differ, bob starts again, and the coordinator notes something of alice.
	events := []Event{
		at(1, "alice", 0, 1), at(4, "alice", 0, 4), at(6, "alice", 0, 2), at(5, "bob", 0, 1), at(5, "alice", 0, 0), at(7, "alice", 0, 3),
		at(8, "alice", 0, 5), at(9, "bob", 1, 1), at(10, "bob", 1, 2),
	}
	want := "1ms alice#1, 5ms bob#1, 5ms alice#0, 6ms alice#2, 7ms alice#3, 7ms alice#4, 8ms alice#5, 9ms bob#1, 10ms bob#2"
	sorted := InOrder(events)
	for _, again := range [][]Event{sorted, InOrder(sorted)} {
		var got []string
		for _, e := range again {
			got = append(got, fmt.Sprintf("%s %s#%d", e.At, e.GetNode(), e.GetSeq()))
		}
		if d := cmp.Diff(want, strings.Join(got, ", ")); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
	if want := []int{0, 1, 7}; !slices.Equal(encode(events).Fresh, want) {
		t.Errorf("lives begin at %v, want %v", encode(events).Fresh, want)
	}
}

// TestBrowserTakesNoOrderForANewLife shows events whose times and numbers differ, and a life whose first events are missing: what alice
// believes stays, what bob believed in his first life does not.
func TestBrowserTakesNoOrderForANewLife(t *testing.T) {
	rule := &eventv1.Fault{Rule: "partition alice | bob", Active: true}
	r := &Run{Suite: "order", Peers: []string{"alice", "bob"}, Duration: time.Second, Lives: []Life{{Peer: "alice"}, {Peer: "bob"}, {Peer: "bob"}}}
	r.Events = []Event{
		numberedEvent(100*ms, "alice", 0, 1, joinedEvent("alice", "a")),
		numberedEvent(110*ms, "alice", 0, 2, &eventv1.Event{What: &eventv1.Event_Fault{Fault: rule}}),
		numberedEvent(120*ms, "alice", 0, 4, &eventv1.Event{What: &eventv1.Event_Suspected{Suspected: &eventv1.Member{Peer: "bob", Id: "b"}}}),
		numberedEvent(125*ms, "alice", 0, 3, joinedEvent("bob", "b")),
		numberedEvent(100*ms, "bob", 0, 1, joinedEvent("bob", "b")),
		numberedEvent(110*ms, "bob", 0, 2, joinedEvent("alice", "a")),
		numberedEvent(200*ms, "alice", 0, 0, &eventv1.Event{What: &eventv1.Event_Fault{Fault: &eventv1.Fault{Rule: "freeze alice", Active: true}}}),
		numberedEvent(900*ms, "bob", 1, 7, joinedEvent("bob", "b2")),
	}
	b := openTab(t, 1000, 800)
	url := pageOf(t, r)
	b.open(url)
	eval[bool](b, `(() => { const s = document.querySelector("#belief-time"); s.value = s.max; s.dispatchEvent(new Event("input")); return true; })()`)
	if s := eval[string](b, letters); s != "AS ·A" {
		t.Errorf("beliefs are %s, want AS ·A", s)
	}
	const wide = `[...document.querySelectorAll("#diagram .band")].filter(r => r.getAttribute("width") > 500).length`
	if n := eval[int](b, wide); n != 2 {
		t.Errorf("%d faults last to the end, want both", n)
	}
	b.quiet(url)
}

// TestLivePageKnowsLives tells a page that goes on of two lives; the first events of the second never came.
func TestLivePageKnowsLives(t *testing.T) {
	t.Parallel()
	l := NewLive()
	defer l.Close()
	l.Begin(&Run{Suite: "lives", Peers: []string{"bob"}})
	l.Life(Life{Peer: "bob"})
	l.Event(numberedEvent(1*ms, "bob", 0, 1, joinedEvent("bob", "b")))
	l.Event(numberedEvent(2*ms, "bob", 0, 2, joinedEvent("alice", "a")))
	l.Life(Life{Peer: "bob", To: 3 * ms, End: "kill"})
	l.Life(Life{Peer: "bob", From: 4 * ms})
	l.Event(numberedEvent(5*ms, "bob", 0, 9, joinedEvent("bob", "b2")))
	_, blocks, _ := l.snapshot()
	if b, ok := blocks[0].(block); !ok || !slices.Equal(b.Fresh, []int{0, 2}) {
		t.Errorf("lives begin at %v, want 0 and 2", b.Fresh)
	}
}
