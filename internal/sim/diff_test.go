package sim

import (
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/testcoord"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// TestDiff changes each part of an outcome, and wants it to be named.
func TestDiff(t *testing.T) {
	t.Parallel()
	made := func() *Outcome {
		return &Outcome{
			Result: &testcoord.Result{Suite: "x"}, Missed: 1, Logs: map[string]string{"alice": "hello"},
			Log: invariant.Log{
				Entries: []invariant.Entry{{Peer: "alice", At: 1, Event: &eventv1.Event{Seq: 1}}},
				Lives:   []invariant.Life{{Peer: "alice", To: time.Second}}, End: time.Second,
			},
		}
	}
	if d := Diff(made(), made()); d != "" {
		t.Error(d)
	}
	for want, change := range map[string]func(*Outcome){
		"event 1 is 1ns alice":     func(o *Outcome) { o.Log.Entries[0].At++ },
		"1 events, and then 0":     func(o *Outcome) { o.Log.Entries = nil },
		"results of steps differ":  func(o *Outcome) { o.Result.Passed++ },
		"lives of peers differ":    func(o *Outcome) { o.Log.Lives[0].To++ },
		"ends of the logs differ":  func(o *Outcome) { o.Log.End++ },
		"logs of peers differ":     func(o *Outcome) { o.Logs["alice"] = "goodbye" },
		"the missed events differ": func(o *Outcome) { o.Missed++ },
	} {
		other := made()
		change(other)
		if d := Diff(made(), other); !strings.Contains(d, want) {
			t.Errorf("%q, and not %q", d, want)
		}
	}
}
