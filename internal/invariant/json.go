package invariant

import (
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// sentEntry is an Entry as JSON. The event is as protobuf writes it: encoding/json cannot read it back.
type sentEntry struct {
	Peer  string
	At    time.Duration
	Life  int
	Event []byte
}

// MarshalJSON makes an Entry that UnmarshalJSON reads, for those who hand results on to another process.
func (e Entry) MarshalJSON() ([]byte, error) {
	event, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.Event)
	if err != nil {
		return nil, fmt.Errorf("event of %s: %w", e.Peer, err)
	}
	return json.Marshal(sentEntry{e.Peer, e.At, e.Life, event})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Entry) UnmarshalJSON(data []byte) error {
	var sent sentEntry
	if err := json.Unmarshal(data, &sent); err != nil {
		return err
	}
	*e = Entry{Peer: sent.Peer, At: sent.At, Life: sent.Life, Event: &eventv1.Event{}}
	if err := proto.Unmarshal(sent.Event, e.Event); err != nil {
		return fmt.Errorf("event of %s: %w", e.Peer, err)
	}
	return nil
}
