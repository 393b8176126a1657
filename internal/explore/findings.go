package explore

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/testcoord"
)

// Findings are what the runs of many seeds have shown.
type Findings struct {
	// Runs is how many seeds were run, and Passed with how many of them the suite passed.
	Runs, Passed int
	// Groups are the failures, the most frequent first.
	Groups []*Group
	// Durations are those of the suite's measures and of its steps that wait, over all runs that passed.
	Durations []Distribution
	// Virtual is the time that has passed in the simulations together.
	Virtual time.Duration
}

// Failed is how many runs have failed.
func (f *Findings) Failed() int { return f.Runs - f.Passed }

// Group are runs that failed alike: at the same expectation first.
type Group struct {
	// What is what failed first, with its place.
	What string
	// Why and Details are what the run with the smallest seed told of it: with the faults that are left, not with those that were drawn.
	Why     string
	Details []string
	// Seeds are those with which it failed, in order.
	Seeds []uint64
	// Faults are the schedule of the first of them, and Shrunk what is left of it when it is as short as can be, which makes the suite
	// File; all empty when no fault is needed for this failure.
	Faults, Shrunk []Fault
	// File is the suite with Shrunk in it.
	File []byte
}

// Distribution are durations, or rates, of one kind.
type Distribution struct {
	What          string
	Count         int
	P50, P95, Max string // for people
}

// failure is what failed first in a run.
type failure struct {
	what, why string
	details   []string
	line      int // in the suite's own file, 0 elsewhere
}

// place says where in a suite it is: at a line of that, or, with 0, at one of a fault.
func (f *failure) place(suite string, line int) {
	if line == 0 {
		f.what = "a fault: " + f.what
	} else {
		f.what = fmt.Sprintf("%s:%d: %s", suite, line, f.what)
	}
}

// firstFailure finds it. Invariants are judged at the end of a run, and so come after its steps.
func firstFailure(o *sim.Outcome) (failure, bool) {
	r := o.Result
	for _, s := range r.Steps {
		if s.Status != testcoord.Failed {
			continue
		}
		f := failure{what: s.Text, why: s.Err, details: s.Details}
		if s.File == "" {
			f.line = s.Line
		} else {
			f.what = fmt.Sprintf("%s:%d: %s", s.File, s.Line, s.Text)
		}
		return f, true
	}
	if len(r.Problems) > 0 {
		return failure{what: r.Problems[0]}, true
	}
	return failure{}, !r.OK()
}

// samples collects what was measured by what it is of, in the order in which that first came.
type samples []testcoord.MeasureRecord

func (s *samples) add(what string, rate bool, more ...testcoord.Sample) {
	i := slices.IndexFunc(*s, func(m testcoord.MeasureRecord) bool { return m.Name == what })
	if i < 0 {
		i = len(*s)
		*s = append(*s, testcoord.MeasureRecord{Name: what, Rate: rate})
	}
	(*s)[i].Samples = append((*s)[i].Samples, more...)
}

// shortestShown is a duration below which nobody has waited.
const shortestShown = time.Millisecond

// distributions are the statistics of what has taken time, and of rates.
func (s samples) distributions() []Distribution {
	var out []Distribution
	for _, m := range s {
		if len(m.Samples) == 0 || !m.Rate && m.Quantile(1) < float64(shortestShown) {
			continue
		}
		shown := func(part float64) string { return m.Shown(m.Quantile(part)) }
		out = append(out, Distribution{What: m.Name, Count: len(m.Samples), P50: shown(0.5), P95: shown(0.95), Max: shown(1)})
	}
	return out
}

// byFrequency orders groups: the most frequent first, of these the one with the smallest seed.
func byFrequency(groups []*Group) {
	slices.SortFunc(groups, func(a, b *Group) int {
		return cmp.Or(len(b.Seeds)-len(a.Seeds), cmp.Compare(a.Seeds[0], b.Seeds[0]))
	})
}
