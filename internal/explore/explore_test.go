package explore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/testcoord"
)

func config(t *testing.T, run func(ctx context.Context, seed uint64) (*sim.Outcome, error)) Config {
	t.Helper()
	return Config{
		Spec:  sim.Spec{File: "small.lab", Sources: map[string][]byte{"small.lab": []byte(small)}},
		Suite: read(t, "small.lab", small), First: 1, Last: 6, Jobs: 1,
		Run: func(ctx context.Context, spec *sim.Spec) (*sim.Outcome, error) { return run(ctx, spec.Seed) },
	}
}

func passed() *sim.Outcome { return &sim.Outcome{Result: &testcoord.Result{}} }

// TestBroken checks that a seed with which the program breaks is a failure as any other, and that the search goes on.
func TestBroken(t *testing.T) {
	t.Parallel()
	found, err := Run(t.Context(), config(t, func(_ context.Context, seed uint64) (*sim.Outcome, error) {
		if seed%2 == 0 {
			return nil, &sim.BrokenError{Seed: seed, Why: "panic: no", Stacks: "goroutine 1"}
		}
		return passed(), nil
	}))
	if err != nil || found.Runs != 6 || len(found.Groups) != 1 {
		t.Fatalf("%v %+v", err, found)
	}
	if g := found.Groups[0]; g.What != "panic: no" || !slices.Equal(g.Seeds, []uint64{2, 4, 6}) {
		t.Errorf("%+v", g)
	}
}

// TestShownAsShrunk checks that what is told of a group is what the suite shows that is left of its schedule.
func TestShownAsShrunk(t *testing.T) {
	t.Parallel()
	cfg := config(t, nil)
	cfg.Faults, cfg.LongestFault = true, 3*time.Second
	for cfg.First = 1; len(Draw(cfg.First, NewTarget(cfg.Suite, []byte(small)), cfg.LongestFault)) < 4; {
		cfg.First++
	}
	cfg.Last = cfg.First
	cfg.File = func(uint64) string { return "found.lab" }
	cfg.Head = func(uint64) []string { return nil }
	cfg.Run = func(_ context.Context, spec *sim.Spec) (*sim.Outcome, error) {
		lines := strings.Count(string(spec.Suite()), "\nlab ")
		o := passed()
		if lines < 2 { // the suite has one of its own
			return o, nil
		}
		o.Result.Failed = 1
		o.Result.Steps = []testcoord.StepRecord{{
			File: "other.lab", Line: 1, Text: "noop", Status: testcoord.Failed, Err: fmt.Sprint(lines, " lines"), Details: []string{fmt.Sprint("all ", lines)},
		}}
		return o, nil
	}
	found, err := Run(t.Context(), cfg)
	if err != nil || len(found.Groups) != 1 {
		t.Fatalf("%v %+v", err, found)
	}
	g := found.Groups[0]
	lines := strings.Count(string(g.File), "\nlab ")
	if len(g.Shrunk) != 1 || len(g.Faults) == 1 {
		t.Fatalf("%d faults are left of %d", len(g.Shrunk), len(g.Faults))
	}
	if g.Why != fmt.Sprint(lines, " lines") || !slices.Equal(g.Details, []string{fmt.Sprint("all ", lines)}) {
		t.Errorf("%q %q is told of a suite with %d lines", g.Why, g.Details, lines)
	}
}

// TestFaultsThatCannotStrike checks that a kill of one that has ended by then is left away, and no verdict of a seed is lost.
func TestFaultsThatCannotStrike(t *testing.T) {
	t.Parallel()
	cfg := config(t, nil)
	cfg.Faults, cfg.LongestFault, cfg.Last = true, 3*time.Second, 50
	cfg.File = func(uint64) string { return "found.lab" }
	cfg.Head = func(uint64) []string { return nil }
	again := 0
	cfg.Run = func(_ context.Context, spec *sim.Spec) (*sim.Outcome, error) {
		o := passed()
		for i, line := range strings.Split(string(spec.Suite()), "\n") {
			if strings.HasPrefix(line, "lab kill") {
				again++
				o.Result.Failed = 1
				o.Result.Steps = []testcoord.StepRecord{{Line: i + 1, Text: line, Status: testcoord.Failed, Err: "it has ended"}}
				break
			}
		}
		return o, nil
	}
	found, err := Run(t.Context(), cfg)
	if err != nil || found.Runs != 50 || found.Passed != 50 || again == 0 {
		t.Errorf("%v %+v, %d kills failed", err, found, again)
	}
}

// TestNoRunCanBeMade checks that a schedule which nobody could run stays as it was drawn.
func TestNoRunCanBeMade(t *testing.T) {
	t.Parallel()
	cfg := config(t, nil)
	cfg.Faults, cfg.LongestFault = true, 3*time.Second
	cfg.File = func(uint64) string { return "found.lab" }
	cfg.Head = func(uint64) []string { return nil }
	broken := errors.New("broken")
	runs := 0
	cfg.Run = func(_ context.Context, spec *sim.Spec) (*sim.Outcome, error) {
		if runs++; runs > 1 {
			return nil, broken
		}
		return nil, &sim.BrokenError{Seed: spec.Seed, Why: "panic: no"}
	}
	found, err := Run(t.Context(), cfg)
	if !errors.Is(err, broken) || len(found.Groups) != 1 {
		t.Fatalf("%v %+v", err, found)
	}
	if g := found.Groups[0]; len(g.Shrunk) != len(g.Faults) || runs != 2 {
		t.Errorf("%d runs, and %d faults are left of %d", runs, len(g.Shrunk), len(g.Faults))
	}
}

// TestCutShort checks that a run which the user has ended is no failure.
func TestCutShort(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	found, err := Run(ctx, config(t, func(ctx context.Context, seed uint64) (*sim.Outcome, error) {
		if seed < 3 {
			return passed(), nil
		}
		cancel(enough)
		o := passed()
		o.Result.Interrupted, o.Result.Failed = true, 1
		o.Result.Steps = []testcoord.StepRecord{{Text: "lab sleep 1h", Line: 3, Status: testcoord.Failed, Err: "interrupted"}}
		return o, context.Cause(ctx)
	}))
	if !errors.Is(err, enough) || found.Runs != 2 || found.Failed() != 0 {
		t.Errorf("%v %+v", err, found)
	}
}
