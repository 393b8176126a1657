package study

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/predict"
	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/sim/fast"
	"peerlab.example/peerlab/internal/testcoord"
)

// guestMode is the argument of a test binary that is to be a guest.
const guestMode = "guest-of-tests"

func itself() (*exec.Cmd, error) {
	path, err := os.Executable()
	return exec.Command(path, guestMode), err
}

func apps() []func() app.App { return []func() app.App{func() app.App { return chat.New() }} }

// TestTheoryAndSimulation compares what is predicted with what the shipped suite measures, in labs of two sizes. A mean of three runs may be far from that
// of many, and theory leaves out that confirmations take time, so one may be three times the other; a formula that grows with the wrong power of
// the number of peers, or counts in the wrong unit, is further off.
func TestTheoryAndSimulation(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("simulations of many peers")
	}
	const file, most = "../../examples/scale/scale.lab", 3
	values := []int{10, 50}
	figures := predicted(t, values)
	s, err := Run(t.Context(), Config{
		Suite: &testcoord.Suite{Name: "scale", File: file}, Param: "n", Values: values, Seed: 1, Runs: 3, Jobs: 1,
		Spec: func(n int) (*sim.Spec, error) { return scaleOf(file, n) },
		Run: func(ctx context.Context, spec *sim.Spec) (*sim.Outcome, error) {
			return fast.Run(ctx, itself, spec, io.Discard)
		},
		Theory: func(measure string) []report.Theory { return Theory(measure, figures) },
	})
	if err != nil || len(s.Failures) > 0 {
		t.Fatal(err, s.Failures)
	}
	compared := 0
	for _, series := range s.Series {
		for _, theory := range series.Theory {
			for _, p := range series.Points {
				want, ok := theory.At(values, p.Value)
				got := p.Line(theory.Of).Mean
				if !ok || got > most*want || got < want/most {
					t.Errorf("%s, %s of %d peers: measured %.3g, and predicted %.3g", series.Name, theory.Of, p.Value, got, want)
				}
				compared++
			}
		}
	}
	if compared != 2*6 {
		t.Errorf("%d numbers were compared", compared)
	}
}

func predicted(t *testing.T, values []int) []predict.Figures {
	t.Helper()
	tuning, err := membership.Profile("lan")
	if err != nil {
		t.Fatal(err)
	}
	var out []predict.Figures
	for _, n := range values {
		f, err := predict.Of(predict.Lab{Peers: n, Tuning: tuning})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// scaleOf is the suite with so many peers, and a short time in which nothing happens.
func scaleOf(file string, n int) (*sim.Spec, error) {
	table, err := lab.Table(apps())
	if err != nil {
		return nil, err
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	params := map[string]string{"n": strconv.Itoa(n), "window": "30s"}
	suite, err := testcoord.ParseWith(file, src, testcoord.ParseOptions{Table: table, Read: os.ReadFile, Params: params, Runner: sim.RunnerName})
	if err != nil {
		return nil, err
	}
	sources, err := sim.Load(suite, os.ReadFile)
	return &sim.Spec{File: file, Sources: sources, Params: params}, err
}
