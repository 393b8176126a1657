package sim

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/internal/invariant"
)

// Diff is where two outcomes differ first, or "" where they are the same in all.
func Diff(a, b *Outcome) string {
	for i := range min(len(a.Log.Entries), len(b.Log.Entries)) {
		x, y := a.Log.Entries[i], b.Log.Entries[i]
		if x.At != y.At || x.Peer != y.Peer || !proto.Equal(x.Event, y.Event) {
			return fmt.Sprintf("event %d is %s %s %v, and then %s %s %v", i+1, x.At, x.Peer, x.Event, y.At, y.Peer, y.Event)
		}
	}
	if m, n := len(a.Log.Entries), len(b.Log.Entries); m != n {
		return fmt.Sprintf("%d events, and then %d", m, n)
	}
	// The events are the same; what is left is small, and is data.
	x, errX := encode(&Outcome{Result: a.Result, Log: withoutEvents(a), Logs: a.Logs, Missed: a.Missed}, nil)
	y, errY := encode(&Outcome{Result: b.Result, Log: withoutEvents(b), Logs: b.Logs, Missed: b.Missed}, nil)
	if errX != nil || errY != nil || bytes.Equal(x, y) {
		return ""
	}
	var one, other map[string]json.RawMessage
	if json.Unmarshal(x, &one) == nil && json.Unmarshal(y, &other) == nil {
		for _, part := range parts {
			if !bytes.Equal(one[part.field], other[part.field]) {
				return part.words + " differ"
			}
		}
	}
	return "something differs"
}

// parts are those of a wireOutcome without its events.
var parts = []struct{ field, words string }{
	{"Result", "the results of steps"}, {"Lives", "the lives of peers"}, {"End", "the ends of the logs"}, {"Logs", "the logs of peers"}, {"Missed", "the missed events"},
}

func withoutEvents(o *Outcome) invariant.Log {
	return invariant.Log{Lives: o.Log.Lives, End: o.Log.End}
}
