package invariant_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"peerlab.example/peerlab/internal/invariant"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// run is a log that a test writes: events at seconds.
type run struct{ invariant.Log }

// newRun has these peers, which run from the start to the end.
func newRun(end float64, peers ...string) *run {
	r := &run{}
	r.End = at(end)
	for _, p := range peers {
		r.Lives = append(r.Lives, invariant.Life{Peer: p, To: r.End})
	}
	return r
}

func at(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func (r *run) add(seconds float64, peer string, e *eventv1.Event) {
	e.Node = peer
	r.Entries = append(r.Entries, invariant.Entry{Peer: peer, At: at(seconds), Event: e})
}

// ended ends the process of a peer, and perhaps starts another one.
func (r *run) ended(peer string, to float64, again ...float64) {
	for i := range r.Lives {
		if r.Lives[i].Peer == peer && !r.Lives[i].Ended {
			r.Lives[i].To, r.Lives[i].Ended = at(to), true
		}
	}
	for _, from := range again {
		r.Lives = append(r.Lives, invariant.Life{Peer: peer, From: at(from), To: r.End})
	}
}

func member(name string, start int) *eventv1.Member {
	return &eventv1.Member{Peer: name, Id: fmt.Sprint(name, start)}
}

func (r *run) joined(seconds float64, observer, name string, start int) {
	r.add(seconds, observer, &eventv1.Event{What: &eventv1.Event_Joined{Joined: member(name, start)}})
}

func (r *run) lost(seconds float64, observer, name string, start int) {
	r.add(seconds, observer, &eventv1.Event{What: &eventv1.Event_Lost{Lost: member(name, start)}})
}

func (r *run) left(seconds float64, observer, name string, start int) {
	r.add(seconds, observer, &eventv1.Event{What: &eventv1.Event_Left{Left: member(name, start)}})
}

func (r *run) command(seconds float64, at, line string, duration float64) {
	ns := int64(duration * float64(time.Second))
	r.add(seconds, at, &eventv1.Event{What: &eventv1.Event_Command{Command: &eventv1.Command{Line: line, Ok: true, DurationNs: ns}}})
}

func (r *run) fault(seconds float64, observer, rule string, active bool) {
	r.add(seconds, observer, &eventv1.Event{What: &eventv1.Event_Fault{Fault: &eventv1.Fault{Rule: rule, Active: active}}})
}

func message(from string, number int) *eventv1.Message {
	return &eventv1.Message{App: "chat", Id: fmt.Sprintf("%s-id/%d", from, number), From: from, Seq: uint64(number)}
}

func (r *run) sent(seconds float64, from string, number int, to ...string) {
	m := message(from, number)
	m.Receivers = to
	r.add(seconds, from, &eventv1.Event{What: &eventv1.Event_Sent{Sent: m}})
}

func (r *run) got(seconds float64, to, from string, number int) {
	r.add(seconds, to, &eventv1.Event{What: &eventv1.Event_Message{Message: message(from, number)}})
}

func (r *run) dropped(seconds float64, from string, number int, to string) {
	m := message(from, number)
	m.To = to
	r.add(seconds, from, &eventv1.Event{What: &eventv1.Event_Dropped{Dropped: m}})
}

// all makes everybody see everybody, themselves included.
func (r *run) all(seconds float64, peers ...string) {
	for _, a := range peers {
		for _, b := range peers {
			r.joined(seconds, a, b, 1)
		}
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		check string
		write func(r *run)
		want  []string // a part of each violation's message
	}{
		{"order", "per-sender-order", func(r *run) {
			r.got(1, "bob", "alice", 1)
			r.got(2, "bob", "alice", 3)
			r.got(2, "bob", "carol", 1)
			r.got(3, "carol", "alice", 2)
		}, nil},
		{"out of order", "per-sender-order", func(r *run) {
			r.got(1, "bob", "alice", 2)
			r.got(2, "bob", "alice", 1)
			r.got(2, "bob", "alice", 3)
		}, []string{"bob got number 1 of alice after number 2"}},
		{"a receiver that started again", "per-sender-order", func(r *run) {
			r.ended("bob", 2, 3)
			r.got(1, "bob", "alice", 2)
			r.got(4, "bob", "alice", 1)
		}, nil},
		{"once each", "no-duplicates", func(r *run) {
			r.got(1, "bob", "alice", 1)
			r.got(1, "carol", "alice", 1)
			r.got(1, "bob", "carol", 1)
		}, nil},
		{"twice", "no-duplicates", func(r *run) {
			r.got(1, "bob", "alice", 1)
			r.got(2, "bob", "alice", 1)
		}, []string{"bob got number 1 of alice twice"}},
		{"delivered or counted", "no-silent-loss", func(r *run) {
			r.sent(1, "alice", 1, "bob", "carol")
			r.got(2, "bob", "alice", 1)
			r.dropped(9, "alice", 1, "carol")
		}, nil},
		{"lost in silence", "no-silent-loss", func(r *run) {
			r.sent(1, "alice", 1, "bob", "carol")
			r.got(2, "bob", "alice", 1)
		}, []string{"number 1 of alice never came to carol"}},
		{"sent just before the end", "no-silent-loss", func(r *run) { r.sent(98, "alice", 1, "bob") }, nil},
		{"to one that was killed", "no-silent-loss", func(r *run) {
			r.ended("bob", 2)
			r.sent(1, "alice", 1, "bob")
		}, nil},
		{"held up by a fault to the end", "no-silent-loss", func(r *run) {
			r.fault(0.5, "alice", "partition alice | bob", true)
			r.sent(1, "alice", 1, "bob")
		}, nil},
		{"lost in silence after a fault was lifted", "no-silent-loss", func(r *run) {
			r.fault(0.5, "alice", "partition alice | bob", true)
			r.sent(1, "alice", 1, "bob")
			r.fault(2, "alice", "partition alice | bob", false)
		}, []string{"never came to bob"}},
		{"a true death", "no-false-death", func(r *run) {
			r.all(1, "alice", "bob")
			r.ended("bob", 5)
			r.lost(7, "alice", "bob", 1)
		}, nil},
		{"a false death", "no-false-death", func(r *run) {
			r.all(1, "alice", "bob")
			r.lost(7, "alice", "bob", 1)
		}, []string{"alice declared bob lost at 7.000s, which ran"}},
		{"a late verdict on an earlier start", "no-false-death", func(r *run) {
			r.all(1, "alice", "bob")
			r.ended("bob", 5, 6)
			r.joined(6.5, "alice", "bob", 2)
			r.lost(7, "alice", "bob", 1)
		}, nil},
		{"a false death of a later start", "no-false-death", func(r *run) {
			r.all(1, "alice", "bob")
			r.ended("bob", 5, 6)
			r.joined(6.5, "alice", "bob", 2)
			r.lost(7, "alice", "bob", 2)
		}, []string{"alice declared bob lost"}},
		{"a goodbye that was not heard", "no-false-death", func(r *run) {
			r.all(1, "alice", "bob")
			r.left(5, "bob", "bob", 1)
			r.joined(6, "bob", "bob", 2)
			r.lost(7, "alice", "bob", 1)
		}, nil},
		{"a death of who has joined again after a goodbye", "no-false-death", func(r *run) {
			r.all(1, "alice", "bob")
			r.left(5, "bob", "bob", 1)
			r.joined(6, "bob", "bob", 2)
			r.lost(7, "alice", "bob", 2)
		}, []string{"alice declared bob lost"}},
		{"views that agree", "views-agree", func(r *run) { r.all(1, "alice", "bob", "carol") }, nil},
		{"one who misses somebody", "views-agree", func(r *run) {
			r.all(1, "alice", "bob", "carol")
			r.lost(5, "alice", "bob", 1)
		}, []string{"alice believes alice, carol to be alive, and alice, bob, carol are members"}},
		{"who left is missed by nobody", "views-agree", func(r *run) {
			r.all(1, "alice", "bob", "carol")
			r.left(5, "carol", "carol", 1)
			r.left(5, "alice", "carol", 1)
			r.left(5, "bob", "carol", 1)
		}, nil},
		{"a goodbye that others hear before its peer ends", "views-agree", func(r *run) {
			r.all(1, "alice", "bob", "carol")
			r.left(12, "alice", "carol", 1)
			r.left(12.5, "bob", "carol", 1)
			r.ended("carol", 13)
		}, nil},
		{"a goodbye that one never hears", "views-agree", func(r *run) {
			r.all(1, "alice", "bob", "carol")
			r.left(2, "carol", "carol", 1)
			r.left(2, "alice", "carol", 1)
			r.ended("carol", 3)
		}, []string{"bob believes alice, bob, carol to be alive"}},
		{"a command that takes longer than others need to learn of it", "views-agree", func(r *run) {
			r.all(1, "alice", "bob")
			r.joined(9, "carol", "carol", 1)
			r.joined(9, "alice", "carol", 1)
			r.command(12, "carol", "init", 4)
			r.joined(12.5, "bob", "carol", 1)
			r.joined(12.5, "carol", "alice", 1)
			r.joined(12.5, "carol", "bob", 1)
		}, nil},
		{"who hears late of the end of its own former start", "views-agree", func(r *run) {
			r.all(1, "alice", "bob")
			r.left(2, "alice", "bob", 1)
			r.left(2, "bob", "bob", 1)
			r.joined(3, "bob", "bob", 2)
			r.joined(3, "bob", "alice", 1)
			r.joined(3, "alice", "bob", 2)
			r.joined(4, "bob", "bob", 1)
			r.left(5, "bob", "bob", 1)
		}, nil},
		{"who has not joined has no view", "views-agree", func(r *run) { r.all(1, "alice", "bob") }, nil},
		{"while a fault is active, views may differ", "views-agree", func(r *run) {
			r.all(1, "alice", "bob", "carol")
			r.fault(2, "alice", "partition", true)
			r.lost(5, "alice", "bob", 1)
		}, nil},
		{"after it, they may not", "views-agree", func(r *run) {
			r.all(1, "alice", "bob", "carol")
			r.fault(2, "alice", "partition", true)
			r.lost(5, "alice", "bob", 1)
			r.fault(6, "alice", "partition", false)
		}, []string{"alice believes"}},
		{"a fault that nobody lifts ends with its process", "views-agree", func(r *run) {
			r.all(1, "alice", "bob", "carol")
			r.fault(2, "carol", "partition", true)
			r.ended("carol", 3)
			r.lost(4, "alice", "carol", 1)
			r.lost(4, "bob", "carol", 1)
			r.lost(5, "alice", "bob", 1)
		}, []string{"alice believes"}},
		{"a start that is not forgotten when an earlier one is lost", "views-agree", func(r *run) {
			r.all(1, "alice", "bob")
			r.ended("bob", 5, 6)
			r.joined(6.5, "alice", "bob", 2)
			r.joined(6.5, "bob", "alice", 1)
			r.joined(6.5, "bob", "bob", 2)
			r.lost(7, "alice", "bob", 1)
		}, nil},
		{"a roster within its places", "roster-bounded", func(r *run) {
			r.add(1, "alice", &eventv1.Event{What: &eventv1.Event_Roster{Roster: &eventv1.Roster{Size: 2, MaxPeers: 2}}})
			r.add(1, "alice", &eventv1.Event{What: &eventv1.Event_Roster{Roster: &eventv1.Roster{Size: 9}}})
		}, nil},
		{"a roster beyond them", "roster-bounded", func(r *run) {
			r.add(1, "alice", &eventv1.Event{What: &eventv1.Event_Roster{Roster: &eventv1.Roster{Group: "g", Revision: 4, Size: 3, MaxPeers: 2}}})
		}, []string{"group g at revision 4 has 3 peers in 2 places"}},
	}
	for _, tt := range tests {
		t.Run(tt.check+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			c, ok := invariant.Find(tt.check)
			if !ok {
				t.Fatalf("no check %s", tt.check)
			}
			r := newRun(100, "alice", "bob", "carol")
			tt.write(r)
			got := c.Run(r.Log, 0)
			if len(got) != len(tt.want) {
				t.Fatalf("%d violations, want %d: %v", len(got), len(tt.want), got)
			}
			for i, v := range got {
				if !strings.Contains(v.Message, tt.want[i]) || len(v.Proof) == 0 {
					t.Errorf("%q with %d events, want %q", v.Message, len(v.Proof), tt.want[i])
				}
			}
		})
	}
}

// TestMany has more violations than anybody reads.
func TestMany(t *testing.T) {
	t.Parallel()
	r := newRun(100, "alice", "bob")
	for i := range 100 {
		r.got(1, "bob", "alice", i+1)
		r.got(2, "bob", "alice", i+1)
	}
	c, _ := invariant.Find("no-duplicates")
	if got := c.Run(r.Log, 0); len(got) != invariant.Most {
		t.Errorf("%d violations", len(got))
	}
}

// TestViolationsAreSent hands what was found on, as a simulation does.
func TestViolationsAreSent(t *testing.T) {
	t.Parallel()
	r := newRun(20, "alice", "bob")
	r.all(1, "alice", "bob")
	r.lost(7, "alice", "bob", 1)
	c, _ := invariant.Find("no-false-death")
	want := c.Run(r.Log, 0)
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got []invariant.Violation
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" || len(want) != 1 {
		t.Errorf("%d violations; %s", len(want), d)
	}
}
