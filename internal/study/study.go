package study

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/testcoord"
)

// Config is a study.
type Config struct {
	// Suite is what is run, Param which of its params is varied, and Values what it is then, in ascending order.
	Suite  *testcoord.Suite
	Param  string
	Values []int
	// Seed is that of the first run with each value; Runs is how many there are, whose seeds count up from it.
	Seed uint64
	Runs int
	// Jobs is how many runs there are at a time.
	Jobs int
	// Spec is what to run with a value, but for the seed.
	Spec func(value int) (*sim.Spec, error)
	// Run runs a simulation. A sim.BrokenError is a failure of the program that is simulated; any other error ends the study.
	Run func(context.Context, *sim.Spec) (*sim.Outcome, error)
	// Progress is told after each run; it is called by one goroutine at a time.
	Progress func(done Done)
	// Theory is what is expected of a measure with each of Values; nil is nothing.
	Theory func(measure string) []report.Theory
}

// Done is a run that has ended.
type Done struct {
	Value int
	Seed  uint64
	// Passed is whether it passed, and Why what failed first if not.
	Passed bool
	Why    string
	// Runs, of All, have ended.
	Runs, All int
}

// Run makes the study. Runs that do not pass are among the failures of the study, and not in its series. The error is that of a run that could not be
// made, or the cause of the end of ctx; the study has what was measured until then, if anything.
func Run(ctx context.Context, cfg Config) (*report.Study, error) {
	s := &studying{cfg: cfg}
	type job struct {
		value int
		seed  uint64
	}
	var jobs []job
	for _, v := range slices.Backward(cfg.Values) { // the largest take longest, and so come first
		for i := range cfg.Runs {
			jobs = append(jobs, job{v, cfg.Seed + uint64(i)})
		}
	}
	s.all = len(jobs)
	todo := make(chan job)
	var workers sync.WaitGroup
	for range max(1, cfg.Jobs) {
		workers.Go(func() {
			for j := range todo {
				if s.going(ctx) {
					s.one(ctx, j.value, j.seed)
				}
			}
		})
	}
	for _, j := range jobs {
		todo <- j
	}
	close(todo)
	workers.Wait()
	return s.study(), errors.Join(s.err, context.Cause(ctx))
}

// studying is a study that goes on.
type studying struct {
	cfg Config
	all int

	mu       sync.Mutex
	done     int      // guarded by mu
	taken    []taken  // guarded by mu
	failures []string // guarded by mu
	err      error    // guarded by mu; of a run that could not be made
}

// taken is what one run has measured.
type taken struct {
	value    int
	measures []testcoord.MeasureRecord
}

func (s *studying) going(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ctx.Err() == nil && s.err == nil
}

// one makes one run.
func (s *studying) one(ctx context.Context, value int, seed uint64) {
	spec, err := s.cfg.Spec(value)
	var outcome *sim.Outcome
	if err == nil {
		spec.Seed = seed
		outcome, err = s.cfg.Run(ctx, spec)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	done := Done{Value: value, Seed: seed, All: s.all}
	var broke *sim.BrokenError
	switch {
	case errors.As(err, &broke):
		done.Why = "the simulation broke: " + broke.Why
	case err != nil:
		if ctx.Err() == nil {
			s.err = errors.Join(s.err, fmt.Errorf("%s = %d, seed %d: %w", s.cfg.Param, value, seed, err))
		}
		return
	case outcome.Result.OK():
		done.Passed = true
		s.taken = append(s.taken, taken{value, measures(outcome.Result)})
	default:
		done.Why = firstFailure(outcome.Result)
	}
	s.done++
	done.Runs = s.done
	if !done.Passed {
		s.failures = append(s.failures, fmt.Sprintf("%s = %d, seed %d: %s", s.cfg.Param, value, seed, done.Why))
	}
	if s.cfg.Progress != nil {
		s.cfg.Progress(done)
	}
}

// worthShowing is a wait below which an expectation was true at once.
const worthShowing = time.Millisecond

// measures are those of a run, and the waits of its expectations that were true only after a while.
func measures(r *testcoord.Result) []testcoord.MeasureRecord {
	out := slices.Clone(r.Measures)
	for _, m := range r.Waits() {
		if m.Quantile(1) >= float64(worthShowing) {
			out = append(out, m)
		}
	}
	return out
}

func firstFailure(r *testcoord.Result) string {
	for _, s := range r.Steps {
		if s.Status == testcoord.Failed {
			return s.Text + ": " + s.Err
		}
	}
	return strings.Join(r.Problems, "; ")
}

// study takes together what the runs have measured.
func (s *studying) study() *report.Study {
	out := &report.Study{
		Suite: s.cfg.Suite.Name, File: s.cfg.Suite.File, Param: s.cfg.Param, Values: s.cfg.Values, Runs: s.cfg.Runs, Seed: s.cfg.Seed, Failures: s.failures,
	}
	slices.Sort(out.Failures)
	slices.SortStableFunc(s.taken, func(a, b taken) int { return a.value - b.value })
	for _, name := range s.names() {
		series := report.Series{Name: name}
		for _, v := range s.cfg.Values {
			if p, ok := s.point(&series, v); ok {
				series.Points = append(series.Points, p)
			}
		}
		if s.cfg.Theory != nil {
			series.Theory = s.cfg.Theory(name)
		}
		out.Series = append(out.Series, series)
	}
	return out
}

// names are what was measured at all, in the order of the suite.
func (s *studying) names() []string {
	var names []string
	for _, t := range s.taken {
		for _, m := range t.measures {
			if len(m.Samples) > 0 && !slices.Contains(names, m.Name) {
				names = append(names, m.Name)
			}
		}
	}
	return names
}

// point takes together the runs with one value; false if none has measured anything.
func (s *studying) point(series *report.Series, value int) (report.Point, bool) {
	p := report.Point{Value: value}
	var least, median, most []float64
	for _, t := range s.taken {
		i := slices.IndexFunc(t.measures, func(m testcoord.MeasureRecord) bool { return m.Name == series.Name })
		if t.value != value || i < 0 || len(t.measures[i].Samples) == 0 {
			continue
		}
		m := t.measures[i]
		series.Rate = m.Rate
		number := func(part float64) float64 {
			if m.Rate {
				return m.Quantile(part)
			}
			return time.Duration(m.Quantile(part)).Seconds()
		}
		p.Runs++
		p.Samples += len(m.Samples)
		least, median, most = append(least, number(0)), append(median, number(0.5)), append(most, number(1))
	}
	p.Least, p.Median, p.Most = spread(least), spread(median), spread(most)
	return p, p.Runs > 0
}

func spread(numbers []float64) report.Spread {
	if len(numbers) == 0 {
		return report.Spread{}
	}
	sum := 0.0
	for _, n := range numbers {
		sum += n
	}
	return report.Spread{Mean: sum / float64(len(numbers)), Low: slices.Min(numbers), High: slices.Max(numbers)}
}
