package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/predict"
	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/study"
	"peerlab.example/peerlab/internal/testcoord"
)

// studyFlags are the flags of "peerlab coordinator study".
type studyFlags struct {
	run  runFlags
	vary string
	runs int
	seed uint64
	jobs int
	dir  string

	param  string
	values []int
}

func newCoordinatorStudy(std Stdio, apps []func() app.App) *cobra.Command {
	f := studyFlags{run: runFlags{how: how{runner: inSim}}}
	cmd := &cobra.Command{
		Use:   "study SUITE",
		Short: "simulate a suite with several values of a param, and draw what it measures against what theory expects",
		Long: "Runs a suite in the simulation with each value of one of its params, some times each with another seed, and shows the measures of the suite and\n" +
			"the waits of its expectations by value. Measures that are called message, suspected, lost or packets are shown beside what theory expects of a\n" +
			"lab of that many peers (see coordinator predict), if the param is the number of peers. Exit code: 0 all passed, 1 a run failed, 2 the suite or a\n" +
			"flag is wrong, 130 ended by Ctrl-C.",
		Example: "  peerlab coordinator study --vary n=10,20,50,100 --report seen examples/scale/scale.lab\n" +
			"  peerlab coordinator study --fast --vary n=10,50,100,200,500 --runs 5 --report seen examples/scale/scale.lab",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			return studySuite(cmd.Context(), std, &f, apps, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.vary, "vary", "", "NAME=V1,V2,…: the param of the suite that is varied, and what it is; whole numbers")
	flags.IntVar(&f.runs, "runs", 3, "how many runs there are with each value")
	flags.Uint64Var(&f.seed, "seed", 1, "that of the first run with each value; further ones count up from it")
	flags.IntVar(&f.jobs, "jobs", runtime.NumCPU(), "how many simulations to run at a time")
	flags.StringVar(&f.dir, "report", "", "folder for "+report.FileStudyPage+", "+report.FileStudySVG+" and "+report.FileStudy)
	flags.StringArrayVar(&f.run.how.set, "set", nil, "NAME=VALUE: the value of another param of the suite; may be repeated")
	f.run.how.sim.addPlace(cmd, "")
	return cmd
}

// maxStudyValues bounds the columns of a picture.
const maxStudyValues = 50

// check refuses flags that are wrong, or do not go together.
func (f *studyFlags) check(cmd *cobra.Command) error {
	const example = "such as n=10,20,50"
	name, list, ok := strings.Cut(f.vary, "=")
	if !ok || name == "" {
		return exit{exitUsage, fmt.Errorf("--vary %q: must be NAME=V1,V2,…, %s", f.vary, example)}
	}
	f.param = name
	for word := range strings.SplitSeq(list, ",") {
		v, err := strconv.Atoi(word)
		if err != nil || v < 1 {
			return exit{exitUsage, fmt.Errorf("--vary %s: %q is not a whole number from 1, %s", f.vary, word, example)}
		}
		f.values = append(f.values, v)
	}
	slices.Sort(f.values)
	f.values = slices.Compact(f.values)
	switch values, _ := params(f.run.how.set); {
	case len(f.values) > maxStudyValues:
		return exit{exitUsage, fmt.Errorf("--vary: at most %d values, and not %d", maxStudyValues, len(f.values))}
	case f.runs < 1 || f.jobs < 1 || f.seed < 1:
		return exit{exitUsage, errors.New("--runs, --jobs and --seed: must be at least 1")}
	case values[f.param] != "":
		return exit{exitUsage, fmt.Errorf("--set %s=… and --vary %s=… exclude each other", f.param, f.param)}
	}
	return f.run.how.sim.check(cmd, inSim)
}

// with is the flags with a value of the param.
func (f *studyFlags) with(value int) *runFlags {
	run := f.run
	run.how.set = append(slices.Clone(run.how.set), f.param+"="+strconv.Itoa(value))
	return &run
}

// suites reads the suite with each of the values, so that what is wrong with any of them is known before the first run. The files are read once.
func (f *studyFlags) suites(std Stdio, apps []func() app.App, file string) (map[int]*testcoord.Suite, error) {
	parsing, err := f.run.how.parsing()
	if err != nil {
		return nil, err
	}
	out := map[int]*testcoord.Suite{}
	for _, v := range f.values {
		if parsing.Params, err = params(f.with(v).how.set); err != nil {
			return nil, err
		}
		read, err := parseSuites(std, apps, []string{file}, parsing)
		if err != nil {
			return nil, err
		}
		out[v] = read[0]
	}
	return out, nil
}

func studySuite(ctx context.Context, std Stdio, f *studyFlags, apps []func() app.App, file string) error {
	suites, err := f.suites(std, apps, file)
	if err != nil {
		return err
	}
	if err := (&reportFlags{dir: f.dir}).check(); err != nil {
		return exit{exitUsage, err}
	}
	ctx, stop := untilSignal(ctx, endings...)
	defer stop()
	simulator, err := newSimulator(ctx, std, &f.run.how.sim)
	if err != nil {
		return cmp.Or(interrupted(ctx), err)
	}
	line, std := newStatusLine(std)
	begun := time.Now()
	suite := suites[f.values[0]]
	profile := gossipOf(suite).Profile
	figures, err := f.figures(profile, suites)
	if err != nil {
		simulator.close()
		return err
	}
	made := 0
	found, err := study.Run(ctx, study.Config{
		Suite: suite, Param: f.param, Values: f.values, Seed: f.seed, Runs: f.runs, Jobs: f.jobs,
		Spec: func(value int) (*sim.Spec, error) { return f.with(value).specOf(suites[value], false) },
		Run: func(ctx context.Context, spec *sim.Spec) (*sim.Outcome, error) {
			return simulator.run(ctx, spec, io.Discard)
		},
		Progress: func(d study.Done) {
			made = d.Runs
			tellStudy(std, line, f.param, time.Since(begun), d)
		},
		Theory: func(measure string) []report.Theory { return study.Theory(measure, figures) },
	})
	simulator.close()
	if line != nil {
		line.Close()
	}
	found.Profile, found.Place, found.Version = profile, f.run.how.sim.latency, node.VersionLine()
	i := interrupted(ctx)
	if i != nil {
		err = nil // it says no more than that
	}
	err = errors.Join(i, err, f.show(std, found, made))
	f.verdict(std, found, made, err != nil && i == nil)
	if err == nil && len(found.Failures) > 0 {
		return exit{exitFailed, nil}
	}
	return err
}

// figures are what theory expects of each value, if that is the number of peers.
func (f *studyFlags) figures(profile string, suites map[int]*testcoord.Suite) ([]predict.Figures, error) {
	tuning, err := membership.Profile(profile)
	if err != nil {
		return nil, err
	}
	var out []predict.Figures
	for _, v := range f.values {
		if len(suites[v].Peers) != v {
			return nil, nil // theory says nothing about it
		}
		one, err := predict.Of(predict.Lab{Peers: v, Tuning: tuning})
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// tellStudy tells of a run that has ended.
func tellStudy(std Stdio, line *statusLine, param string, since time.Duration, d study.Done) {
	if !d.Passed {
		_, _ = fmt.Fprintf(std.Out, "%s = %d, seed %d fails: %s\n", param, d.Value, d.Seed, command.Clean(d.Why))
	}
	if line != nil {
		line.Set(elapsed(since) + gap + fmt.Sprintf("%d of %d runs", d.Runs, d.All))
	}
}

// nothingMeasured is told of a suite that passes, and from which a study has nothing to show.
const nothingMeasured = "nothing was measured: the suite has no \"measure\" line that found anything, and no expectation that had to wait\n" +
	"  such a line is, for example: measure join from command line=init to joined"

// show writes the tables and the files of a study with so many runs.
func (f *studyFlags) show(std Stdio, s *report.Study, made int) error {
	for i := range s.Series {
		showSeries(std.Out, s, &s.Series[i])
	}
	if len(s.Series) == 0 && made > len(s.Failures) {
		_, _ = fmt.Fprintln(std.Out, nothingMeasured)
	}
	if f.dir == "" || made == 0 {
		return nil
	}
	if err := report.WriteStudy(s, f.dir); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(std.Out, "written: %s\n", command.Clean(filepath.Join(f.dir, report.FileStudyPage)))
	return nil
}

// verdict is the last line. Of a study that was cut short nobody can say that all runs pass.
func (f *studyFlags) verdict(std Stdio, s *report.Study, made int, broken bool) {
	all, failed := len(f.values)*f.runs, len(s.Failures)
	verdict, missing := "PASS", ""
	if made < all {
		verdict, missing = "ENDED", fmt.Sprintf(", %d were not made", all-made)
	}
	if failed > 0 || broken {
		verdict = "FAIL"
	}
	_, _ = fmt.Fprintf(std.Out, "%s %s  %d of %s passed%s\n", verdict, command.Clean(s.Suite), made-failed, count(made, "run"), missing)
}

// showSeries is one table, with a column for each line of what was measured, and behind it what is expected.
func showSeries(w io.Writer, s *report.Study, series *report.Series) {
	_, _ = fmt.Fprintf(w, "%s\n", command.Clean(series.Name))
	expected := map[string]*report.Theory{}
	for i, t := range series.Theory {
		expected[t.Of] = &series.Theory[i]
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := command.Clean(s.Param)
	for _, line := range report.Lines() {
		head += "\t" + line
		if expected[line] != nil {
			head += "\texpected"
		}
	}
	_, _ = fmt.Fprintln(t, head+"\tsamples\t")
	for _, p := range series.Points {
		row := strconv.Itoa(p.Value)
		for _, line := range report.Lines() {
			row += "\t" + series.Shown(p.Line(line).Mean)
			if theory := expected[line]; theory != nil {
				cell := "-"
				if n, ok := theory.At(s.Values, p.Value); ok {
					cell = series.Shown(n)
				}
				row += "\t" + cell
			}
		}
		_, _ = fmt.Fprintf(t, "%s\t%d\t\n", row, p.Samples)
	}
	_ = t.Flush() // of a terminal
	_, _ = fmt.Fprintln(w)
}
