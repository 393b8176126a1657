package sim

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/testcoord"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// A guest writes frames to its standard output: a byte that says what it is, four bytes of length (big endian), and so many bytes.
const (
	frameOutcome = 'o' // a wireOutcome, once, at the end
	frameTold    = 'w' // a told, as it happens
	frameShown   = 's' // a display, as it happens
	frameHead    = 5
	// frameMost bounds a frame, so that a broken guest is an error and not all of the memory.
	frameMost = 1 << 30
)

// TakeStdout gives the standard output of this process to frames alone. Whoever prints then, be it by an os.Stdout that they have kept from
// before, writes to standard error: an application may print, and half a frame is none.
func TakeStdout() *os.File {
	frames := *os.Stdout
	*os.Stdout = *os.Stderr
	return &frames
}

// Guest is a simulation as a program of its own: it reads the Spec from in, as JSON, and writes frames to out.
func Guest(in io.Reader, out io.Writer, run func(*Spec) (*Outcome, error)) error {
	var spec Spec
	if err := json.NewDecoder(in).Decode(&spec); err != nil {
		return fmt.Errorf("read the spec: %w", err)
	}
	t := &teller{to: out}
	spec.Observer, spec.Screen = t, t
	outcome, err := run(&spec)
	data, wrong := encode(outcome, err)
	if wrong != nil {
		return wrong
	}
	return writeFrame(out, frameOutcome, data)
}

// writeFrame writes at once: several goroutines of a guest write.
func writeFrame(w io.Writer, kind byte, data []byte) error {
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(data))) //nolint:gosec // far below 4 GiB
	_, err := w.Write(append(head, data...))
	return err
}

// wireOutcome is an Outcome as it is sent.
type wireOutcome struct {
	Err    string // of the run
	Made   bool   // there is an outcome
	Result *testcoord.Result
	Lives  []invariant.Life
	End    time.Duration
	Events []wireEvent
	Missed uint64
	Logs   map[string]string
}

// wireEvent is an event, encoded.
type wireEvent struct {
	Peer  string
	At    time.Duration
	Life  int `json:",omitempty"`
	Event []byte
}

func eventOf(e invariant.Entry) (wireEvent, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.Event)
	if err != nil {
		return wireEvent{}, fmt.Errorf("event of %s: %w", e.Peer, err)
	}
	return wireEvent{Peer: e.Peer, At: e.At, Life: e.Life, Event: data}, nil
}

func (w wireEvent) entry() (invariant.Entry, error) {
	e := &eventv1.Event{}
	if err := proto.Unmarshal(w.Event, e); err != nil {
		return invariant.Entry{}, fmt.Errorf("event of %s: %w", w.Peer, err)
	}
	return invariant.Entry{Peer: w.Peer, At: w.At, Life: w.Life, Event: e}, nil
}

func encode(o *Outcome, err error) ([]byte, error) {
	w := wireOutcome{Made: o != nil}
	if err != nil {
		w.Err = err.Error()
	}
	if o != nil {
		w.Result, w.Lives, w.End, w.Missed, w.Logs = o.Result, o.Log.Lives, o.Log.End, o.Missed, o.Logs
		for _, e := range o.Log.Entries {
			sent, err := eventOf(e)
			if err != nil {
				return nil, err
			}
			w.Events = append(w.Events, sent)
		}
	}
	return json.Marshal(w)
}

// Reader takes what a guest writes, in any pieces, and hands it on as it comes. It is made by Send.
type Reader struct {
	screen  testcoord.Screen
	to      testcoord.Observer // may be nil
	view    view
	rest    []byte
	outcome []byte
}

// Write takes a piece.
func (r *Reader) Write(b []byte) (int, error) {
	r.rest = append(r.rest, b...)
	for len(r.rest) >= frameHead {
		n := int(binary.BigEndian.Uint32(r.rest[1:]))
		if n > frameMost {
			return 0, fmt.Errorf("the simulation wrote a frame of %d bytes", n)
		}
		if len(r.rest) < frameHead+n {
			break
		}
		kind, data := r.rest[0], r.rest[frameHead:frameHead+n]
		switch kind {
		case frameTold:
			if err := r.tell(data); err != nil {
				return 0, err
			}
		case frameShown:
			if err := r.show(data); err != nil {
				return 0, err
			}
		case frameOutcome:
			r.outcome = append([]byte(nil), data...)
		default:
			return 0, fmt.Errorf("the simulation wrote a frame of kind %q", kind)
		}
		r.rest = r.rest[frameHead+n:]
	}
	return len(b), nil
}

// ErrNoOutcome is that of a guest that ended before its run did.
var ErrNoOutcome = errors.New("the simulation ended without an outcome")

// Exited is a guest that ended well, as a process, and before its run did: something in it has called os.Exit(0).
func Exited(seed uint64, stderr string) *BrokenError {
	return &BrokenError{Seed: seed, Why: "it ended with exit code 0, without an outcome", Stacks: stderr}
}

// Outcome is what the guest has sent at its end, as Run returned it there. It shows the summary.
func (r *Reader) Outcome() (*Outcome, error) {
	if r.outcome == nil {
		return nil, ErrNoOutcome
	}
	var w wireOutcome
	if err := json.Unmarshal(r.outcome, &w); err != nil {
		return nil, fmt.Errorf("outcome of the simulation: %w", err)
	}
	var err error
	if w.Err != "" {
		err = errors.New(r.view.problem(w.Err))
	}
	if !w.Made {
		return nil, err
	}
	r.view.result(w.Result)
	if w.Result != nil {
		r.screen.Summary(w.Result)
	}
	o := &Outcome{Result: w.Result, Log: invariant.Log{Lives: w.Lives, End: w.End}, Missed: w.Missed, Logs: w.Logs}
	for _, e := range w.Events {
		entry, err := e.entry()
		if err != nil {
			return nil, err
		}
		o.Log.Entries = append(o.Log.Entries, entry)
	}
	return o, err
}
