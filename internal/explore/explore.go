package explore

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/testcoord"
)

// Config is an exploration.
type Config struct {
	// Spec is what to run, but for the seed.
	Spec sim.Spec
	// Suite is what Spec has read.
	Suite *testcoord.Suite
	// First and Last are the seeds, both of them included.
	First, Last uint64
	// Jobs is how many runs there are at a time.
	Jobs int
	// UntilFailure ends the exploration with the first failure.
	UntilFailure bool
	// Faults adds a schedule of faults to each run, none of them longer than LongestFault.
	Faults       bool
	LongestFault time.Duration
	// File says how the suite is called that shows a failure with faults, and Head which lines stand in it first. What a run is like may
	// depend on both, so that each try has them.
	File func(seed uint64) string
	Head func(seed uint64) []string
	// Run runs a simulation. A sim.BrokenError is a failure of the program that is simulated; any other without an outcome ends the exploration.
	Run func(context.Context, *sim.Spec) (*sim.Outcome, error)
	// Progress is told after each run; it is called by one goroutine at a time.
	Progress func(Progress)
}

// Progress is how far an exploration has come.
type Progress struct {
	// Runs, of All, have ended; Failed of them did so badly, in so many Groups.
	Runs, All, Failed, Groups int
	// New is the group that the last run began, if it did.
	New *Group
	// Shrinking is the seed whose schedule is made shorter, after Tries runs; 0 tries before that.
	Shrinking uint64
	Tries     int
}

// explorer is one exploration.
type explorer struct {
	cfg    Config
	target *Target

	mu       sync.Mutex
	found    Findings          // guarded by mu
	groups   map[string]*Group // guarded by mu; by What
	took     samples           // guarded by mu
	began    uint64            // guarded by mu; how many seeds are taken
	failures error             // guarded by mu; of a run that could not be made
}

// Run explores. When ctx ends, the findings are those so far, and the error tells why it ended. It is another error when a run could not
// be made at all.
func Run(ctx context.Context, cfg Config) (*Findings, error) {
	e := &explorer{cfg: cfg, target: NewTarget(cfg.Suite, cfg.Spec.Suite()), groups: map[string]*Group{}}
	searching, found := context.WithCancel(ctx)
	defer found()
	var workers sync.WaitGroup
	for range max(1, cfg.Jobs) {
		workers.Go(func() {
			for seed, ok := e.next(searching); ok; seed, ok = e.next(searching) {
				if failed := e.try(searching, seed); failed && cfg.UntilFailure {
					found()
				}
			}
		})
	}
	workers.Wait()
	e.found.Groups = slices.Collect(maps.Values(e.groups))
	for _, g := range e.found.Groups {
		slices.Sort(g.Seeds)
	}
	byFrequency(e.found.Groups)
	e.found.Durations = e.took.distributions()
	if cfg.Faults {
		shrinking, enough := context.WithCancel(ctx)
		defer enough()
		if e.failures != nil { // no more runs can be made, and the schedules stay as they are
			enough()
		}
		e.shrinkAll(shrinking)
	}
	return &e.found, errors.Join(e.failures, context.Cause(ctx))
}

// next takes a seed, as long as there is one and the search goes on.
func (e *explorer) next(ctx context.Context) (uint64, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil || e.failures != nil || e.began > e.cfg.Last-e.cfg.First {
		return 0, false
	}
	e.began++
	return e.cfg.First + e.began - 1, true
}

// try runs one seed, and reports whether that failed.
func (e *explorer) try(ctx context.Context, seed uint64) bool {
	var faults []Fault
	if e.cfg.Faults {
		faults = Draw(seed, e.target, e.cfg.LongestFault)
	}
	v := e.run(ctx, seed, faults)
	if ctx.Err() != nil && (!v.failed || v.outcome != nil && v.outcome.Result.Interrupted) { // it was cut short, and is no verdict
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if v.err != nil {
		e.failures = errors.Join(e.failures, v.err)
		return false
	}
	progress := Progress{All: int(e.cfg.Last - e.cfg.First + 1)} //nolint:gosec // nobody runs so many
	e.found.Runs++
	switch {
	case v.failed:
		progress.New = e.file(seed, v)
	default:
		e.found.Passed++
		e.measure(v.outcome)
	}
	if v.outcome != nil {
		e.found.Virtual += v.outcome.Result.Duration
	}
	progress.Runs, progress.Failed, progress.Groups = e.found.Runs, e.found.Failed(), len(e.groups)
	e.tell(progress)
	return v.failed
}

// verdict is what became of a run.
type verdict struct {
	faults  []Fault // with which it was made
	outcome *sim.Outcome
	failure failure
	failed  bool
	err     error // it could not be made
}

// run simulates one seed with a schedule. A fault that cannot strike where it was put, since the peer that it would kill has ended by then,
// is left away, and the rest is run anew.
func (e *explorer) run(ctx context.Context, seed uint64, faults []Fault) verdict {
	for {
		v := e.simulate(ctx, seed, faults)
		if !v.failed || v.failure.line == 0 {
			return v
		}
		origin, fault := v.failure.line, -1
		if len(faults) > 0 {
			origin, fault = e.target.Origin(origin, faults, e.cfg.Head(seed))
		}
		if fault < 0 || !strings.HasPrefix(v.failure.what, "lab kill") && !strings.HasPrefix(v.failure.what, "lab freeze") {
			v.failure.place(e.cfg.Suite.File, origin)
			return v
		}
		faults = slices.Delete(slices.Clone(faults), fault, fault+1)
	}
}

// simulate makes one run. The line of its failure is that of the file with the faults.
func (e *explorer) simulate(ctx context.Context, seed uint64, faults []Fault) verdict {
	outcome, err := e.cfg.Run(ctx, e.spec(seed, faults))
	v := verdict{faults: faults, outcome: outcome}
	var broke *sim.BrokenError
	switch {
	case errors.As(err, &broke):
		v.failed = true
		v.failure = failure{what: broke.Why, why: "the simulation broke", details: strings.Split(broke.Stacks, "\n")}
	case outcome == nil:
		v.err = err
	default:
		v.failure, v.failed = firstFailure(outcome)
	}
	return v
}

// spec is a run. Without faults, it is the one that "coordinator run" makes of the suite.
func (e *explorer) spec(seed uint64, faults []Fault) *sim.Spec {
	spec := e.cfg.Spec
	if len(faults) > 0 {
		spec = *spec.With(e.cfg.File(seed), e.target.With(faults, e.cfg.Head(seed)))
	}
	spec.Seed = seed
	return &spec
}

// file puts a failure into its group, which it returns if it is new. The lock is held.
func (e *explorer) file(seed uint64, v verdict) *Group {
	f := v.failure
	g, known := e.groups[f.what]
	if !known {
		g = &Group{What: f.what}
		e.groups[f.what] = g
	}
	g.Seeds = append(g.Seeds, seed)
	if seed == slices.Min(g.Seeds) {
		g.Why, g.Details, g.Faults = f.why, f.details, v.faults
	}
	if known {
		return nil
	}
	return g
}

// measure takes the durations of a run. The lock is held.
func (e *explorer) measure(o *sim.Outcome) {
	for _, m := range o.Result.Measures {
		e.took.add("measure "+m.Name, m.Rate, m.Samples...)
	}
	for _, m := range o.Result.Waits() {
		e.took.add(m.Name, false, m.Samples...)
	}
	e.took.add("the whole run", false, testcoord.Sample{To: o.Result.Duration})
}

// shrinkAll makes the schedule of each group's smallest seed as short as can be.
func (e *explorer) shrinkAll(ctx context.Context) {
	var workers sync.WaitGroup
	todo := make(chan *Group)
	for range max(1, e.cfg.Jobs) {
		workers.Go(func() {
			for g := range todo {
				e.shrink(ctx, g)
			}
		})
	}
	for _, g := range e.found.Groups {
		todo <- g
	}
	close(todo)
	workers.Wait()
}

func (e *explorer) shrink(ctx context.Context, g *Group) {
	seed, tries := g.Seeds[0], 0
	g.Shrunk = shrink(ctx, g.Faults, func(ctx context.Context, faults []Fault) bool {
		tries++
		v := e.run(ctx, seed, faults)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.tell(Progress{Shrinking: seed, Tries: tries})
		switch {
		case ctx.Err() != nil: // of one that was cut short nobody knows how it would have failed
			return false
		case !v.failed || v.failure.what != g.What, len(v.faults) < len(faults):
			return false
		}
		g.Why, g.Details = v.failure.why, v.failure.details // which the suite that is left shows
		return true
	})
	if len(g.Shrunk) > 0 {
		g.File = e.target.With(g.Shrunk, e.cfg.Head(seed))
	}
}

// tell tells of progress. The lock is held.
func (e *explorer) tell(p Progress) {
	if e.cfg.Progress != nil {
		e.cfg.Progress(p)
	}
}
