package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// maxLine bounds one event as text, in bytes.
const maxLine = 64 << 20

// WriteEvents writes events as JSON lines: the event as protobuf's JSON, with "atNs" before it, the time on the run's axis, and in later
// lives of a peer "life". The order of fields is that of the schema, so that one run always has the same bytes.
func WriteEvents(w io.Writer, events []Event) error { return WriteEventsOf(w, "", events) }

// WriteEventsOf is WriteEvents for one of several runs in a file: each line begins with "run", its name. Without one it is WriteEvents.
func WriteEventsOf(w io.Writer, run string, events []Event) error {
	begin := "{"
	if run != "" {
		name, err := json.Marshal(run)
		if err != nil {
			return err
		}
		begin = fmt.Sprintf(`{"run":%s,`, name)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	var line bytes.Buffer
	for _, e := range events {
		body, err := protojson.Marshal(e.Event)
		if err != nil {
			return fmt.Errorf("event %d of %q: %w", e.GetSeq(), e.GetNode(), err)
		}
		line.Reset()
		// protojson puts blanks in at random, so that nobody relies on them.
		if err := json.Compact(&line, body); err != nil {
			return fmt.Errorf("event %d of %q: %w", e.GetSeq(), e.GetNode(), err)
		}
		rest := line.Bytes()[1:]
		head := fmt.Sprintf(`%s"atNs":%d`, begin, e.At.Nanoseconds())
		if e.Life > 0 {
			head += fmt.Sprintf(`,"life":%d`, e.Life)
		}
		if rest[0] != '}' {
			head += ","
		}
		if _, err := fmt.Fprintf(out, "%s%s\n", head, rest); err != nil {
			return err
		}
	}
	return out.Flush()
}

// ReadEvents reads what WriteEvents wrote. Fields that this version does not know are left out.
func ReadEvents(r io.Reader) ([]Event, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	var out []Event
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		e, err := readEvent(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, e)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

func readEvent(line []byte) (Event, error) {
	var axis struct {
		At   time.Duration `json:"atNs"`
		Life int           `json:"life"`
	}
	if err := json.Unmarshal(line, &axis); err != nil {
		return Event{}, err
	}
	e := Event{At: axis.At, Life: axis.Life, Event: &eventv1.Event{}}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(line, e.Event); err != nil {
		return Event{}, err
	}
	return e, nil
}
