package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/atomicfile"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/explore"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/testcoord"
)

// randomFaults is the value of --faults that there is.
const randomFaults = "random"

// exploreFlags are the flags of "peerlab coordinator explore".
type exploreFlags struct {
	run          runFlags
	seeds        string
	faults       string
	longest      time.Duration
	untilFailure bool
	jobs         int
	out          string

	first, last uint64 // of seeds
}

func newCoordinatorExplore(std Stdio, apps []func() app.App) *cobra.Command {
	f := exploreFlags{run: runFlags{how: how{runner: inSim}}}
	cmd := &cobra.Command{
		Use:   "explore SUITE",
		Short: "simulate a suite with many seeds, with faults by chance, and show what makes it fail",
		Long: "Runs a suite in the simulation once for each seed. Failures are grouped by what failed first, and each group has the command that\n" +
			"runs its smallest seed again. With --faults random each seed also makes a schedule of partitions, losses, delays, freezes, kills and\n" +
			"restarts between the lines of the suite; one that makes it fail is shrunk, and written as a suite of its own. Ctrl-C ends the search,\n" +
			"and shows what was found. Exit code: 0 all passed, 1 something failed, 2 the suite or a flag is wrong, 130 ended by Ctrl-C.",
		Example: "  peerlab coordinator explore --seeds 1..1000 my.lab\n" +
			"  peerlab coordinator explore --seeds 1..200 --faults random --until-failure examples/rolling-restart.lab",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			return exploreSuite(cmd.Context(), std, &f, apps, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.seeds, "seeds", "1..100", "FIRST..LAST: the seeds to run, both included")
	flags.StringVar(&f.faults, "faults", "", randomFaults+": add faults by chance, which the seed decides")
	flags.DurationVar(&f.longest, "longest", 3*time.Second, "with --faults, how long a fault lasts at most")
	flags.BoolVar(&f.untilFailure, "until-failure", false, "end with the first failure")
	flags.IntVar(&f.jobs, "jobs", runtime.NumCPU(), "how many simulations to run at a time")
	flags.StringVar(&f.out, "out", "", "with --faults, folder for the suites that show failures (default that of the suite)")
	flags.StringArrayVar(&f.run.how.set, "set", nil, "NAME=VALUE: the value of a param of the suite; may be repeated")
	f.run.how.sim.addPlace(cmd, "")
	return cmd
}

// check refuses flags that are wrong, or do not go together.
func (f *exploreFlags) check(cmd *cobra.Command) error {
	first, last, ok := strings.Cut(f.seeds, "..")
	var errFirst, errLast error
	f.first, errFirst = strconv.ParseUint(first, 10, 63)
	f.last, errLast = strconv.ParseUint(last, 10, 63)
	switch {
	case !ok || errFirst != nil || errLast != nil || f.last < f.first:
		return exit{exitUsage, fmt.Errorf("--seeds %q: must be FIRST..LAST, such as 1..1000", f.seeds)}
	case f.faults != "" && f.faults != randomFaults:
		return exit{exitUsage, fmt.Errorf("--faults %q: can be %s only", f.faults, randomFaults)}
	case f.longest < 100*time.Millisecond || f.longest > 10*time.Minute:
		return exit{exitUsage, fmt.Errorf("--longest %s: must be 100ms to 10m", f.longest)}
	case f.jobs < 1:
		return exit{exitUsage, fmt.Errorf("--jobs %d: must be at least 1", f.jobs)}
	}
	for _, name := range []string{"longest", "out"} {
		if f.faults == "" && cmd.Flags().Changed(name) {
			return exit{exitUsage, fmt.Errorf("--%s is for --faults %s", name, randomFaults)}
		}
	}
	return f.run.how.sim.check(cmd, inSim)
}

func exploreSuite(ctx context.Context, std Stdio, f *exploreFlags, apps []func() app.App, file string) error {
	parsing, err := f.run.how.parsing()
	if err != nil {
		return err
	}
	suites, err := parseSuites(std, apps, []string{file}, parsing)
	if err != nil {
		return err
	}
	suite := suites[0]
	if sameFolder(f.out, filepath.Dir(file)) {
		f.out = "" // what the suite includes is found from its folder as the user has called that
	}
	if f.out != "" && len(suite.Files) > 0 {
		return exit{exitUsage, fmt.Errorf("--out %s: %s includes other files, which would not be found from there", f.out, file)}
	}
	spec, err := f.run.specOf(suite, false)
	if err != nil {
		return err
	}
	if f.faults != "" && !explore.NewTarget(suite, spec.Suite()).Permits() {
		return exit{exitUsage, fmt.Errorf("%s: there is no place for faults: no step that begins peers with init has another behind it", file)}
	}
	if f.faults != "" {
		if err := f.checkOut(file); err != nil {
			return exit{exitUsage, err}
		}
	}
	ctx, stop := untilSignal(ctx, endings...)
	defer stop()
	simulator, err := newSimulator(ctx, std, &f.run.how.sim)
	if err != nil {
		return cmp.Or(interrupted(ctx), err)
	}
	line, std := newStatusLine(std)
	e := &exploration{std: std, flags: f, suite: suite, begun: time.Now(), line: line}
	findings, err := explore.Run(ctx, e.config(spec, simulator))
	simulator.close()
	if line != nil {
		line.Close()
	}
	if findings == nil {
		return err
	}
	i := interrupted(ctx)
	if i != nil {
		err = nil // it says no more than that
	}
	err = errors.Join(err, e.show(findings, err != nil || i != nil), i)
	if err == nil && findings.Failed() > 0 {
		return exit{exitFailed, nil}
	}
	return err
}

// checkOut makes sure, before the first run, that suites can be written where they are to be.
func (f *exploreFlags) checkOut(suite string) error {
	dir := f.out
	if dir == "" {
		if info, err := os.Stat(suite); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no file with a folder of its own: name a folder for what is found with --out", suite)
		}
		dir = filepath.Dir(suite)
	} else if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if err := atomicfile.Try(dir); err != nil {
		return fmt.Errorf("what is found cannot be written to %s (%w): name another folder with --out", dir, systemSays(err))
	}
	return nil
}

// sameFolder reports whether two paths are of one folder that is there.
func sameFolder(a, b string) bool {
	one, errOne := os.Stat(a)
	other, errOther := os.Stat(b)
	return errOne == nil && errOther == nil && os.SameFile(one, other)
}

// endings are the signals that end a search, or a study, with what it has until then.
var endings = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// exploration is one that runs.
type exploration struct {
	std   Stdio
	flags *exploreFlags
	suite *testcoord.Suite
	begun time.Time
	line  *statusLine // nil without a terminal
	told  time.Time   // when progress was told where there is no status line
}

func (e *exploration) config(spec *sim.Spec, s simulator) explore.Config {
	f := e.flags
	return explore.Config{
		Spec: *spec, Suite: e.suite, First: f.first, Last: f.last, Jobs: f.jobs, UntilFailure: f.untilFailure,
		Faults: f.faults != "", LongestFault: f.longest,
		File: e.file, Head: e.head,
		Run: func(ctx context.Context, spec *sim.Spec) (*sim.Outcome, error) {
			outcome, err := s.run(ctx, spec, io.Discard)
			return outcome, err
		},
		Progress: e.progress,
	}
}

// file is where the suite is written that shows what a seed has found.
func (e *exploration) file(seed uint64) string {
	dir, base := filepath.Split(e.suite.File)
	if e.flags.out != "" {
		dir = e.flags.out
	}
	return filepath.Join(dir, strings.TrimSuffix(base, filepath.Ext(base))+".seed-"+strconv.FormatUint(seed, 10)+".lab")
}

// foundBy begins the files that explorations write, and may write again.
const foundBy = "Found by: peerlab coordinator explore"

// head is what stands in that file first: where it comes from, and the seed with which it fails.
func (e *exploration) head(seed uint64) []string {
	lines := []string{fmt.Sprintf("# %s, with seed %d and faults by chance, in %s.", foundBy, seed, command.Clean(filepath.Base(e.suite.File)))}
	if e.suite.Seed == 0 {
		lines = append(lines, fmt.Sprint("seed ", seed))
	}
	return lines
}

// tellEvery is how often progress is told where there is no status line.
const tellEvery = 10 * time.Second

func (e *exploration) progress(p explore.Progress) {
	text := fmt.Sprintf("%d of %d seeds, %d failed", p.Runs, p.All, p.Failed)
	if p.Tries > 0 {
		text = fmt.Sprintf("seed %d: leaving faults away, run %d", p.Shrinking, p.Tries)
	}
	if p.New != nil {
		_, _ = fmt.Fprintf(e.std.Out, "seed %d fails: %s\n", p.New.Seeds[0], command.Clean(p.New.What))
	}
	switch now := time.Now(); {
	case e.line != nil:
		e.line.Set(elapsed(now.Sub(e.begun)) + gap + text)
	case e.told.IsZero():
		e.told = now
	case now.Sub(e.told) > tellEvery:
		e.told = now
		_, _ = fmt.Fprintln(e.std.Err, text)
	}
}

// show tells what was found, and writes the suites. Of a search that was cut short, by a signal or since a run could not be made, nobody can
// say that all seeds pass.
func (e *exploration) show(found *explore.Findings, cut bool) error {
	var errs []error
	for _, g := range found.Groups {
		errs = append(errs, e.showGroup(found, g))
	}
	e.showDurations(found.Durations)
	verdict := "PASS"
	switch {
	case found.Failed() > 0:
		verdict = "FAIL"
	case cut:
		verdict = "ENDED"
	}
	line := fmt.Sprintf("%s %s  %s", verdict, command.Clean(e.suite.Name), count(found.Runs, "seed"))
	if found.Failed() > 0 {
		line += fmt.Sprintf(", %d failed in %s", found.Failed(), count(len(found.Groups), "way"))
	}
	_, _ = fmt.Fprintf(e.std.Out, "%s, %s of virtual time in %s\n", line, command.Duration(found.Virtual), command.Duration(time.Since(e.begun)))
	return errors.Join(errs...)
}

func (e *exploration) showGroup(found *explore.Findings, g *explore.Group) error {
	out := e.std.Out
	_, _ = fmt.Fprintf(out, "\n%d of %s: %s\n", len(g.Seeds), count(found.Runs, "seed"), command.Clean(g.What))
	for _, line := range append([]string{g.Why}, g.Details[:min(len(g.Details), detailsShown)]...) {
		if line != "" {
			_, _ = fmt.Fprintf(out, "    %s\n", command.Clean(line))
		}
	}
	if more := len(g.Details) - detailsShown; more > 0 {
		_, _ = fmt.Fprintf(out, "    … and %s, which the run alone shows\n", count(more, "line"))
	}
	_, _ = fmt.Fprintf(out, "  %s\n", seedsOf(g.Seeds))
	again := e.flags.run
	again.how.seed = g.Seeds[0]
	file := e.suite.File
	switch {
	case len(g.Shrunk) > 0:
		file = e.file(g.Seeds[0])
		_, _ = fmt.Fprintf(out, "  with %s instead of %d:\n", count(len(g.Shrunk), "fault"), len(g.Faults))
		for _, fault := range g.Shrunk {
			_, _ = fmt.Fprintf(out, "    %s\n", strings.Join(fault.Lines(), "; "))
		}
		if err := writeFound(file, g.File); err != nil {
			return err // and there is no run to see again
		}
		_, _ = fmt.Fprintf(out, "  written: %s\n", command.Clean(file))
	case len(g.Faults) > 0:
		_, _ = fmt.Fprintf(out, "  without any fault, too\n")
	}
	_, _ = fmt.Fprintf(out, "  %s\n", again.again(file))
	return nil
}

// detailsShown is how many lines of a failure are shown: stacks are long.
const detailsShown = 40

// seedsShown is how many seeds of a group are named.
const seedsShown = 10

func seedsOf(seeds []uint64) string {
	var words []string
	for _, s := range seeds[:min(len(seeds), seedsShown)] {
		words = append(words, strconv.FormatUint(s, 10))
	}
	line := "seeds " + strings.Join(words, ", ")
	if len(seeds) == 1 {
		line = "seed " + words[0]
	}
	if more := len(seeds) - seedsShown; more > 0 {
		line += fmt.Sprintf(" and %d more", more)
	}
	return line
}

// writeFound writes a suite, in place of none but one that was written so before.
func writeFound(file string, src []byte) error {
	before, err := os.ReadFile(file)
	if err == nil && !strings.HasPrefix(string(before), "# "+foundBy) {
		return fmt.Errorf("%s is there, and was not written by explore: name another folder with --out", file)
	}
	return os.WriteFile(file, src, 0o644) //nolint:gosec // a suite, which is no secret
}

// showDurations is a table of what has taken time.
func (e *exploration) showDurations(all []explore.Distribution) {
	if len(all) == 0 {
		return
	}
	_, _ = fmt.Fprintf(e.std.Out, "\n%10s %10s %10s %7s\n", "p50", "p95", "max", "count")
	for _, d := range all {
		_, _ = fmt.Fprintf(e.std.Out, "%10s %10s %10s %7d  %s\n", d.P50, d.P95, d.Max, d.Count, command.Clean(d.What))
	}
	_, _ = fmt.Fprintln(e.std.Out)
}

// count is a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
