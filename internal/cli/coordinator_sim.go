package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/sim/guest"
	"peerlab.example/peerlab/internal/sim/host"
	"peerlab.example/peerlab/internal/testcoord"
)

// simFlags are the flags of --runner sim.
type simFlags struct {
	latency string
	fast    bool
	verify  bool
	guest   string
}

func (f *simFlags) add(cmd *cobra.Command) {
	f.addPlace(cmd, "with --runner sim, ")
	cmd.Flags().BoolVar(&f.verify, "verify", false, "with --runner sim, run each suite twice, and fail if anything is not the same")
	exclusive(cmd, "fast", "verify")
}

// addPlace adds the flags that say what a simulation is like.
func (f *simFlags) addPlace(cmd *cobra.Command, when string) {
	flags := cmd.Flags()
	flags.StringVar(&f.latency, "latency", sim.DefaultProfile, when+"how far away peers are: "+strings.Join(sim.Profiles(), ", "))
	flags.BoolVar(&f.fast, "fast", false, when+"much faster and not repeatable: for labs of hundreds of peers")
	flags.StringVar(&f.guest, "guest", "", when+"file of the guest; without it that of this program, which is built when it is first wanted")
	exclusive(cmd, "fast", "guest")
}

// check refuses flags that are for another runner.
func (f *simFlags) check(cmd *cobra.Command, runner string) error {
	for _, name := range []string{"latency", "fast", "verify", "guest"} {
		if runner != inSim && cmd.Flags().Changed(name) {
			return exit{exitUsage, fmt.Errorf("--%s is for --runner sim", name)}
		}
	}
	if !slices.Contains(sim.Profiles(), f.latency) {
		return exit{exitUsage, fmt.Errorf("--latency %q: is none of %s", f.latency, strings.Join(sim.Profiles(), ", "))}
	}
	return nil
}

// simulator runs specs.
type simulator interface {
	run(ctx context.Context, spec *sim.Spec, text io.Writer) (*sim.Outcome, error)
	close()
}

// newSimulator finds the guest, unless the simulation is fast.
func newSimulator(ctx context.Context, std Stdio, f *simFlags) (simulator, error) {
	if f.fast {
		return fastSimulator{}, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("cache of the simulation: %w; set XDG_CACHE_HOME", err)
	}
	g, err := guest.Find(ctx, guest.Config{File: f.guest, Cache: filepath.Join(cache, "peerlab", "simulation"), Say: func(format string, args ...any) {
		_, _ = fmt.Fprintf(std.Err, "peerlab: "+format+"\n", args...)
	}})
	if wrong := (*guest.FileError)(nil); errors.As(err, &wrong) {
		return nil, exit{exitUsage, fmt.Errorf("--guest %s: %w", f.guest, systemSays(wrong.Err))}
	}
	if err != nil {
		return nil, err
	}
	return guestSimulator{host.NewPool(func() (*exec.Cmd, error) { return itself("coordinator", guestWorker, g.File, g.Compiled) })}, nil
}

type guestSimulator struct{ pool *host.Pool }

func (s guestSimulator) run(ctx context.Context, spec *sim.Spec, text io.Writer) (*sim.Outcome, error) {
	outcome, _, err := s.pool.Run(ctx, spec, text)
	return outcome, err
}

func (s guestSimulator) close() { s.pool.Close() }

// specOf is what a simulation of the suite depends on.
func (f *runFlags) specOf(suite *testcoord.Suite, color bool) (*sim.Spec, error) {
	sources, err := sim.Load(suite, f.how.read.file)
	if err != nil {
		return nil, err
	}
	values, err := params(f.how.set)
	if err != nil {
		return nil, err
	}
	return &sim.Spec{
		File: suite.File, Sources: sources, Params: values, Seed: f.how.seed, Profile: f.how.sim.latency, Gossip: defaultSuiteProfile,
		Verbose: f.verbose, Color: color, KeepGoing: f.keepGoing, KeepEvents: f.keep, Timeout: f.how.timeout, StepTimeout: f.how.stepTimeout,
	}, nil
}

// simulate runs one suite in a simulation. One that breaks, or that is not the same twice, is a run that has failed, as any other: it has a seed, and
// what comes after it can be run.
func simulate(ctx context.Context, std Stdio, f *runFlags, s simulator, suite *testcoord.Suite, seen *sight) (*report.Run, error) {
	spec, err := f.specOf(suite, isTerminal(std.Out) && wantColor())
	if err != nil {
		return nil, err
	}
	witness := testcoord.NewWitness(suite, seen.ofSimulation())
	spec.Observer = witness
	var text bytes.Buffer
	outcome, err := s.run(ctx, spec, io.MultiWriter(std.Out, &text))
	if f.how.sim.verify && err == nil {
		err = verify(ctx, s, spec, outcome, text.Bytes())
	}
	var broke *sim.BrokenError
	var differs *differsError
	switch {
	case errors.As(err, &broke):
		outcome, err = cmp.Or(outcome, seenBy(witness)), nil
		failed(std.Out, outcome.Result, "the simulation broke: "+broke.Why, strings.Split(broke.Stacks, "\n"))
	case errors.As(err, &differs):
		err = nil
		failed(std.Out, outcome.Result, differs.Error(), nil)
	case outcome == nil && ctx.Err() != nil && witness.Began(): // a guest is not asked how far it has come
		outcome = seenBy(witness)
		outcome.Result.Interrupted = true
		testcoord.NewScreen(std.Out, spec.Color).Summary(outcome.Result)
	case outcome == nil:
		return nil, err
	}
	if f.logs != "" {
		err = errors.Join(err, writeLogs(f.logs, outcome.Logs), writeEventLogs(f.logs, suite.Peers, outcome.Log))
	}
	return reportOf(suite, &f.how, outcome.Result, outcome.Log, outcome.Missed), err
}

// seenBy is the outcome of a run that has none.
func seenBy(w *testcoord.Witness) *sim.Outcome {
	result, log := w.Seen()
	return &sim.Outcome{Result: result, Log: log}
}

// stackReported is how many lines of stacks a report has. The terminal has them all.
const stackReported = 200

// failed says, and notes, what is wrong with a run beside its steps.
func failed(w io.Writer, r *testcoord.Result, what string, lines []string) {
	testcoord.NewScreen(w, false).Problem(r.Suite+"  "+what, lines)
	r.Problems, r.Tails = append(r.Problems, what), append(r.Tails, lines[:min(len(lines), stackReported)])
}

// differsError is that of --verify.
type differsError struct {
	seed uint64
	how  string
}

func (e *differsError) Error() string {
	return fmt.Sprintf("with seed %d, two runs were not the same: %s", e.seed, e.how)
}

// verify runs a spec again, and tells where it differs.
func verify(ctx context.Context, s simulator, spec *sim.Spec, first *sim.Outcome, text []byte) error {
	var again bytes.Buffer
	unseen := *spec
	unseen.Observer = nil
	second, err := s.run(ctx, &unseen, &again)
	if err != nil {
		return err
	}
	if diff := sim.Diff(first, second); diff != "" {
		return &differsError{spec.Seed, diff}
	}
	if !bytes.Equal(text, again.Bytes()) {
		return &differsError{spec.Seed, "they did not write the same"}
	}
	return nil
}

// writeLogs writes what the peers have logged.
func writeLogs(dir string, logs map[string]string) error {
	for name, text := range logs {
		if err := os.WriteFile(filepath.Join(dir, name+".log"), []byte(text), 0o600); err != nil {
			return fmt.Errorf("--logs: %w", err)
		}
	}
	return nil
}
