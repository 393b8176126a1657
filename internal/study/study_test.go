package study

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/predict"
	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/sim/fast"
	"peerlab.example/peerlab/internal/testcoord"
)

// TestMain is also the guest of simulations.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, guestMode) {
		os.Exit(fast.Guest(os.Stdin, os.Stdout, os.Stderr, apps()))
	}
	goleak.VerifyTestMain(m)
}

// measured is the outcome of a run of n peers: news reach peer i after i times the seed, and each sends n packets a second.
func measured(n int, seed uint64) *sim.Outcome {
	news := testcoord.MeasureRecord{Name: "message"}
	packets := testcoord.MeasureRecord{Name: "packets", Rate: true}
	for i := range n {
		news.Samples = append(news.Samples, testcoord.Sample{From: time.Second, To: time.Second * time.Duration(1+int(seed)*i)})
		packets.Samples = append(packets.Samples, testcoord.Sample{PerSecond: float64(n)})
	}
	return &sim.Outcome{Result: &testcoord.Result{
		Measures: []testcoord.MeasureRecord{{Name: "nothing"}, news, packets},
		Steps: []testcoord.StepRecord{
			{Text: "all init", Status: testcoord.Passed, Duration: time.Second},
			{Text: "expect all members alive = $n", Status: testcoord.Passed, Duration: time.Duration(n) * time.Second},
			{Text: "expect at once", Status: testcoord.Passed},
			{Text: "expect held", Status: testcoord.Passed, Duration: time.Second, Invariant: true},
		},
	}}
}

func config(run func(n int, seed uint64) (*sim.Outcome, error)) Config {
	return Config{
		Suite: &testcoord.Suite{Name: "scale", File: "scale.lab"}, Param: "n", Values: []int{3, 5}, Seed: 1, Runs: 2, Jobs: 2,
		Spec: func(value int) (*sim.Spec, error) {
			return &sim.Spec{Params: map[string]string{"n": fmt.Sprint(value)}}, nil
		},
		Run: func(_ context.Context, spec *sim.Spec) (*sim.Outcome, error) {
			var n int
			_, _ = fmt.Sscan(spec.Params["n"], &n)
			return run(n, spec.Seed)
		},
	}
}

func TestStudy(t *testing.T) {
	t.Parallel()
	cfg := config(func(n int, seed uint64) (*sim.Outcome, error) { return measured(n, seed), nil })
	var told []string
	cfg.Progress = func(d Done) { told = append(told, fmt.Sprintf("%d of %d", d.Runs, d.All)) }
	s, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	flat := func(n float64) report.Spread { return report.Spread{Mean: n, Low: n, High: n} }
	want := []report.Series{
		{Name: "message", Points: []report.Point{
			{Value: 3, Runs: 2, Samples: 6, Median: report.Spread{Mean: 1.5, Low: 1, High: 2}, Most: report.Spread{Mean: 3, Low: 2, High: 4}},
			{Value: 5, Runs: 2, Samples: 10, Median: report.Spread{Mean: 3, Low: 2, High: 4}, Most: report.Spread{Mean: 6, Low: 4, High: 8}},
		}},
		{Name: "packets", Rate: true, Points: []report.Point{
			{Value: 3, Runs: 2, Samples: 6, Least: flat(3), Median: flat(3), Most: flat(3)},
			{Value: 5, Runs: 2, Samples: 10, Least: flat(5), Median: flat(5), Most: flat(5)},
		}},
		{Name: "expect all members alive = $n", Points: []report.Point{
			{Value: 3, Runs: 2, Samples: 2, Least: flat(3), Median: flat(3), Most: flat(3)},
			{Value: 5, Runs: 2, Samples: 2, Least: flat(5), Median: flat(5), Most: flat(5)},
		}},
	}
	if d := cmp.Diff(want, s.Series); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"1 of 4", "2 of 4", "3 of 4", "4 of 4"}, told); d != "" {
		t.Error(d)
	}
}

// TestFailedRuns checks that what a run measured that did not pass is left out, and told.
func TestFailedRuns(t *testing.T) {
	t.Parallel()
	s, err := Run(t.Context(), config(func(n int, seed uint64) (*sim.Outcome, error) {
		o := measured(n, seed)
		if n == 5 && seed == 2 {
			o.Result.Failed = 1
			o.Result.Steps[1].Status, o.Result.Steps[1].Err = testcoord.Failed, "not within 5s"
		}
		return o, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Series[0].Points[1]; got.Runs != 1 || got.Samples != 5 {
		t.Errorf("%+v", got)
	}
	if d := cmp.Diff([]string{"n = 5, seed 2: expect all members alive = $n: not within 5s"}, s.Failures); d != "" {
		t.Error(d)
	}
}

// TestBrokenSimulation checks that a program which breaks is a run that has failed, and that the others go on.
func TestBrokenSimulation(t *testing.T) {
	t.Parallel()
	cfg := config(func(n int, seed uint64) (*sim.Outcome, error) {
		if n == 5 && seed == 1 {
			return nil, fmt.Errorf("run: %w", &sim.BrokenError{Seed: seed, Why: "panic: no", Stacks: "goroutine 1"})
		}
		return measured(n, seed), nil
	})
	var told []Done
	cfg.Jobs, cfg.Progress = 1, func(d Done) { told = append(told, d) }
	s, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"n = 5, seed 1: the simulation broke: panic: no"}, s.Failures); d != "" {
		t.Error(d)
	}
	if want := (Done{Value: 5, Seed: 1, Why: "the simulation broke: panic: no", Runs: 1, All: 4}); len(told) != 4 || told[0] != want {
		t.Errorf("told of %+v", told)
	}
	if got := s.Series[0].Points; len(got) != 2 || got[0].Runs != 2 || got[1].Runs != 1 {
		t.Errorf("%+v", got)
	}
}

// TestBrokenRun checks that a run which cannot be made ends the study, and is named.
func TestBrokenRun(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	runs := 0
	cfg := config(func(int, uint64) (*sim.Outcome, error) {
		mu.Lock()
		defer mu.Unlock()
		runs++
		return nil, errors.New("no room")
	})
	cfg.Runs, cfg.Jobs = 50, 1
	if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "n = 5, seed 1: no room") || runs != 1 {
		t.Errorf("after %d runs: %v", runs, err)
	}
}

// TestStopped checks that what was measured before the end is kept.
func TestStopped(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	cfg := config(func(n int, seed uint64) (*sim.Outcome, error) { return measured(n, seed), nil })
	cfg.Jobs, cfg.Progress = 1, func(Done) { stop() }
	s, err := Run(ctx, cfg)
	if !errors.Is(err, context.Canceled) || len(s.Series) != 3 || len(s.Series[0].Points) != 1 {
		t.Errorf("%v %+v", err, s)
	}
}

// TestTheory checks that each formula gives a number for each value, where gossip has one.
func TestTheory(t *testing.T) {
	t.Parallel()
	tuning, err := membership.Profile("lan")
	if err != nil {
		t.Fatal(err)
	}
	var figures []predict.Figures
	for _, n := range []int{1, 10, 500} {
		f, err := predict.Of(predict.Lab{Peers: n, Tuning: tuning})
		if err != nil {
			t.Fatal(err)
		}
		figures = append(figures, f)
	}
	for name := range formulas {
		for _, theory := range Theory(name, figures) {
			ten, many := theory.Numbers[1], theory.Numbers[2]
			if len(theory.Numbers) != 3 || ten <= 0 || many < ten {
				t.Errorf("%s, %s: %v", name, theory.Of, theory.Numbers)
			}
		}
	}
	if got := Theory("message", figures)[0].Numbers[0]; got != -1 {
		t.Errorf("one alone hears news after %v", got)
	}
	if got := Theory("bytes", figures); got != nil {
		t.Errorf("of bytes is known %v", got)
	}
}
