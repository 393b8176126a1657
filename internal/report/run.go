package report

import (
	"cmp"
	"math"
	"slices"
	"time"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// Status is how a step ended.
type Status string

// The ends of a step. Running is only seen while the run goes on.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
	Running Status = "running"
)

// Run is what is known of one run of one suite. Times are since Start, in nanoseconds where they are written as JSON.
type Run struct {
	// Suite is the name of the suite, File its file.
	Suite string `json:"suite"`
	File  string `json:"file,omitempty"`
	// Seed is the seed of everything that was chosen at random; 0 when nothing was.
	Seed uint64 `json:"seed,omitempty"`
	// Runner is what started the peers, Version that of peerlab; either may be empty.
	Runner  string   `json:"runner,omitempty"`
	Version string   `json:"version,omitempty"`
	Tags    []string `json:"tags,omitempty"`
	// Gossip is how the members' news spread; without it, no expected curve is drawn.
	Gossip Gossip `json:"gossip"`
	// Start is the wall clock at the start. Duration is that of the whole run; Ready that until all peers had attached.
	Start    time.Time     `json:"start"`
	Duration time.Duration `json:"duration_ns"`
	Ready    time.Duration `json:"ready_ns,omitempty"`
	// Interrupted is set when the run was ended from outside.
	Interrupted bool `json:"interrupted,omitempty"`
	// Peers are the names of the peers of the suite, in its order: that of the lanes.
	Peers      []string    `json:"peers"`
	Sections   []Section   `json:"sections,omitempty"`
	Steps      []Step      `json:"steps"`
	Problems   []Problem   `json:"problems,omitempty"`
	Measures   []Measure   `json:"measures,omitempty"`
	Rates      []Rate      `json:"rates,omitempty"`
	Invariants []Invariant `json:"invariants,omitempty"`
	Lives      []Life      `json:"lives,omitempty"`
	// Missed is how many events never reached the coordinator.
	Missed uint64 `json:"missed_events,omitempty"`
	// Events are those of all peers. They have a file of their own.
	Events []Event `json:"-"`
}

// Gossip is how often and to how many members each member sends news.
type Gossip struct {
	// Profile is the name of the settings, such as "fast"; it may be empty.
	Profile  string        `json:"profile,omitempty"`
	Interval time.Duration `json:"interval_ns,omitempty"`
	Fanout   int           `json:"fanout,omitempty"`
}

// Section groups the steps of that name.
type Section struct {
	Title    string        `json:"title"`
	Start    time.Duration `json:"start_ns"`
	Duration time.Duration `json:"duration_ns"`
}

// Step is one line of the suite, and what became of it.
type Step struct {
	// File is that of an included line; empty for the suite's own.
	File string `json:"file,omitempty"`
	Line int    `json:"line"`
	Text string `json:"text"`
	// Round is which rounds of the repeats around it, such as "i=2/3"; empty outside of them.
	Round string `json:"round,omitempty"`
	// Section is the title of the section it stands in, or empty.
	Section  string        `json:"section,omitempty"`
	Status   Status        `json:"status"`
	Start    time.Duration `json:"start_ns"`
	Duration time.Duration `json:"duration_ns"`
	// Err says why it failed, or why it was skipped; Details are the lines below that.
	Err     string   `json:"error,omitempty"`
	Details []string `json:"details,omitempty"`
}

// Name is the text, with the round that tells it from others of the same line.
func (s Step) Name() string {
	if s.Round == "" {
		return s.Text
	}
	return s.Text + " (" + s.Round + ")"
}

// Problem is what went wrong outside of steps, such as a peer that died. It fails the run.
type Problem struct {
	Text    string   `json:"text"`
	Details []string `json:"details,omitempty"`
	// At is when it was noticed.
	At time.Duration `json:"at_ns,omitempty"`
}

// Measure is a duration that the suite asked for, per peer.
type Measure struct {
	Name   string         `json:"name"`
	Values []MeasureValue `json:"values"`
	P50    time.Duration  `json:"p50_ns"`
	P95    time.Duration  `json:"p95_ns"`
	Max    time.Duration  `json:"max_ns"`
}

// MeasureValue is one of the durations.
type MeasureValue struct {
	Peer  string        `json:"peer"`
	Value time.Duration `json:"value_ns"`
}

// NewMeasure works the percentiles of the values out.
func NewMeasure(name string, values []MeasureValue) Measure {
	rank := ranks(values, func(v MeasureValue) time.Duration { return v.Value })
	return Measure{Name: name, Values: values, P50: rank(0.5), P95: rank(0.95), Max: rank(1)}
}

// Rate is how fast a number of the peers grew that the suite asked for, per second and peer.
type Rate struct {
	Name   string      `json:"name"`
	Values []RateValue `json:"values"`
	P50    float64     `json:"p50_per_second"`
	P95    float64     `json:"p95_per_second"`
	Max    float64     `json:"max_per_second"`
}

// RateValue is one of the rates.
type RateValue struct {
	Peer  string  `json:"peer"`
	Value float64 `json:"per_second"`
}

// NewRate works the percentiles of the values out.
func NewRate(name string, values []RateValue) Rate {
	rank := ranks(values, func(v RateValue) float64 { return v.Value })
	return Rate{Name: name, Values: values, P50: rank(0.5), P95: rank(0.95), Max: rank(1)}
}

// ranks gives percentiles by the nearest rank: each is one of the values, or zero where there are none.
func ranks[V any, N cmp.Ordered](values []V, number func(V) N) func(part float64) N {
	var sorted []N
	for _, v := range values {
		sorted = append(sorted, number(v))
	}
	slices.Sort(sorted)
	return func(part float64) (out N) {
		if len(sorted) > 0 {
			out = sorted[max(int(math.Ceil(part*float64(len(sorted))))-1, 0)]
		}
		return out
	}
}

// Invariant is one thing that had to hold over the whole run, or one violation of it.
type Invariant struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Message says what happened where it did not hold; Proof are the events that show it.
	Message string  `json:"message,omitempty"`
	Proof   []Proof `json:"proof,omitempty"`
}

// Proof names an event.
type Proof struct {
	Peer string        `json:"peer"`
	Seq  uint64        `json:"seq"` // of the event at the peer
	At   time.Duration `json:"at_ns"`
	Text string        `json:"text,omitempty"`
}

// Life is one process of a peer.
type Life struct {
	Peer string        `json:"peer"`
	From time.Duration `json:"from_ns"`
	To   time.Duration `json:"to_ns"`
	// End says how it ended before the run did, such as "kill", "stop" or "died"; empty when it ran to the end.
	End string `json:"end,omitempty"`
}

// Event is one event, and when it happened on the run's axis.
type Event struct {
	At time.Duration
	// Life is in which life of the peer: the first is 0. Each numbers its events anew.
	Life int
	*eventv1.Event
}

// OK reports whether the run passed.
func (r *Run) OK() bool { return !r.Interrupted && r.Count().Failed == 0 }

// Counts are how many cases of a run ended how.
type Counts struct{ Passed, Failed, Skipped int }

// Count counts steps, problems and violations of invariants.
func (r *Run) Count() Counts {
	c := Counts{Failed: len(r.Problems)}
	for _, s := range r.Steps {
		switch s.Status {
		case Passed:
			c.Passed++
		case Failed:
			c.Failed++
		case Skipped:
			c.Skipped++
		}
	}
	for _, i := range r.Invariants {
		if i.OK {
			c.Passed++
		} else {
			c.Failed++
		}
	}
	return c
}
