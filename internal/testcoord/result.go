package testcoord

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/invariant"
)

// Status is how a step ended.
type Status string

// The ends of a step.
const (
	Passed  Status = "ok"
	Failed  Status = "FAIL"
	Skipped Status = "skip"
)

// Result is what a run was like.
type Result struct {
	// Suite is the name of the suite, File its file.
	Suite, File string
	Peers       int
	// Passed, Failed and Skipped count Steps. A filter counts once for each of its peers.
	Passed, Failed, Skipped int
	Steps                   []StepRecord
	Sections                []SectionRecord
	Invariants              []InvariantRecord
	Measures                []MeasureRecord
	Filters                 []FilterRecord
	// Start is when the run began.
	Start time.Time
	// Problems are what went wrong outside of steps, such as a peer that died. They fail the run.
	Problems []string
	// Tails are the lines that belong to each of Problems, such as the panic of a peer.
	Tails [][]string
	// Floods are the peers that logged more events than are kept.
	Floods []FloodRecord
	// Duration is that of the whole run; Ready that until all peers had attached.
	Duration, Ready time.Duration
	// Interrupted is set when the run was ended from outside.
	Interrupted bool
}

// OK reports whether the run passed.
func (r *Result) OK() bool { return r.Failed == 0 && len(r.Problems) == 0 && !r.Interrupted }

// Waits is how long the expectations took that passed, by their text, in the order of the run.
func (r *Result) Waits() []MeasureRecord {
	var out []MeasureRecord
	for _, s := range r.Steps {
		if !strings.HasPrefix(s.Text, "expect ") || s.Status != Passed || s.Invariant {
			continue
		}
		i := slices.IndexFunc(out, func(m MeasureRecord) bool { return m.Name == s.Text })
		if i < 0 {
			i = len(out)
			out = append(out, MeasureRecord{Name: s.Text})
		}
		out[i].Samples = append(out[i].Samples, Sample{From: s.Start, To: s.Start + s.Duration})
	}
	return out
}

// StepRecord is what became of a step.
type StepRecord struct {
	// File is the included file that the line stands in; empty when that is the suite itself.
	File string
	// Line is that in the file; Text the line.
	Line int
	Text string
	// Depth is how many blocks are around it; Round is which rounds of the repeats among them, such as "i=2/10".
	Depth int
	Round string
	// Section is the title of the section it stands in, or empty.
	Section string
	Status  Status
	// Start is the time since the start of the run; Duration how long the step took.
	Start, Duration time.Duration
	// Invariant is set for the verdict on one, which Invariants has too.
	Invariant bool
	// Err says why it failed, or was not for this runner; Details are the lines below that.
	Err     string
	Details []string
	// Outputs are what commands have written, where it is not among Details yet: see Shown.
	Outputs []Output `json:",omitempty"`
	// Filter is set for one of the prototype.
	Filter bool `json:",omitempty"`
}

// Output is what a command has written at a peer.
type Output struct {
	Peer  string
	Lines []string
	// At is how many of the step's Details stand before it.
	At int
	// Failed is that the command has failed there.
	Failed bool
}

// outputShown is how many lines of what a command has written are shown below its step, unless the run is verbose.
const outputShown = 20

// Shown is the step with its Outputs among its Details: all of them if that is wanted, else the last lines of those of commands that have failed.
func (s StepRecord) Shown(verbose bool) StepRecord {
	var lines []string
	from := 0
	for _, o := range s.Outputs {
		lines = append(lines, s.Details[from:o.At]...)
		from = o.At
		if verbose || o.Failed {
			lines = append(lines, o.shown(verbose)...)
		}
	}
	s.Details, s.Outputs = append(lines, s.Details[from:]...), nil
	return s
}

// shown is the output below a step: its last lines, unless all are wanted.
func (o Output) shown(all bool) (lines []string) {
	last := o.Lines
	if n := len(last) - outputShown; n > 0 && !all {
		lines = append(lines, fmt.Sprintf("%s | … %d lines before", o.Peer, n))
		last = last[n:]
	}
	for _, l := range last {
		lines = append(lines, o.Peer+" | "+l)
	}
	return lines
}

// FilterRecord is a filter of the prototype at one peer, and what became of it.
type FilterRecord struct {
	Text   string
	Status Status
}

// InvariantRecord is an invariant and what violated it.
type InvariantRecord struct {
	Name       string
	Violations []invariant.Violation
}

// SectionRecord is a section and how long it took.
type SectionRecord struct {
	Title           string
	Start, Duration time.Duration
}

func (r *Result) add(s StepRecord) {
	r.Steps = append(r.Steps, s)
	switch s.Status {
	case Passed:
		r.Passed++
	case Failed:
		r.Failed++
	case Skipped:
		r.Skipped++
	}
}
