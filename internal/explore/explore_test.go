package explore

import (
	"context"
	"errors"
	"slices"
	"testing"

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
