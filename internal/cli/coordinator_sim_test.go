package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/testcoord"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// brittle is a simulator of runs that break, or are not the same twice.
type brittle struct {
	broken error
	runs   int
}

func (b *brittle) run(_ context.Context, spec *sim.Spec, text io.Writer) (*sim.Outcome, error) {
	b.runs++
	if strings.HasSuffix(spec.File, "good.lab") {
		return &sim.Outcome{Result: &testcoord.Result{Suite: "good", Passed: 1}}, nil
	}
	if b.broken != nil {
		spec.Observer.RunBegins(time.Now())
		spec.Observer.LifeBegins(invariant.Life{Peer: "alice"})
		spec.Observer.EventTaken(invariant.Entry{Peer: "alice", At: time.Second, Event: &eventv1.Event{Node: "alice", Seq: 1, What: &eventv1.Event_Shown{Shown: &eventv1.Shown{Text: "so far"}}}})
		spec.Observer.StepEnds(testcoord.StepRecord{Line: 2, Text: "lab sleep 1s", Duration: time.Second, Status: testcoord.Passed})
		return nil, b.broken
	}
	_, _ = io.WriteString(text, "some text\n")
	return &sim.Outcome{Result: &testcoord.Result{Suite: "bad", Passed: b.runs}}, nil
}

func (*brittle) close() {}

// TestBrokenSimulations checks that a run which breaks, or is not the same twice, has failed, says how to see it again, and does not keep the
// other suites from being run.
func TestBrokenSimulations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"bad", "good"} {
		if err := os.WriteFile(filepath.Join(dir, name+".lab"), []byte("peers alice\nlab sleep 1s\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		sim  *brittle
		want []string
	}{
		{"a panic", &brittle{broken: &sim.BrokenError{Seed: 7, Why: "panic: no", Stacks: "goroutine 1"}}, []string{"FAIL bad  the simulation broke: panic: no\n     | goroutine 1\n"}},
		{"--verify", &brittle{}, []string{"FAIL bad  with seed 7, two runs were not the same: the results of steps differ\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			f := &runFlags{keep: 1, how: how{runner: inSim, seed: 7, seeded: true, sim: simFlags{latency: "lan", verify: true}}, plan: plan{parallel: 1}, hands: &handsOn{}}
			reported := t.TempDir()
			f.reports.junit, f.reports.json = filepath.Join(reported, "junit.xml"), filepath.Join(reported, "events.jsonl")
			s := &session{flags: f, std: Stdio{Out: &out, Err: &out}, sim: tt.sim, audience: &audience{end: func() {}}}
			err := s.once(t.Context(), []string{dir})
			for _, want := range append(tt.want, "--seed 7 --keep-events 1 "+filepath.Join(dir, "bad.lab"), "1 of 2 runs passed", "failed: bad") {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, &out)
				}
			}
			if e := (exit{}); !errors.As(err, &e) || e.code != exitFailed {
				t.Error(err)
			}
			junit, err := os.ReadFile(f.reports.junit)
			if err != nil || !strings.Contains(string(junit), "<failure") && !strings.Contains(string(junit), "<error") {
				t.Errorf("%v\n%s", err, junit)
			}
			if tt.sim.broken == nil {
				return
			}
			if events, err := os.ReadFile(f.reports.json); err != nil || !strings.Contains(string(events), "so far") {
				t.Errorf("what happened before it broke is not reported: %v\n%s", err, events)
			}
			if !strings.Contains(string(junit), "lab sleep 1s") {
				t.Errorf("nor are its steps:\n%s", junit)
			}
		})
	}
}
