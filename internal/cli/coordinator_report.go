package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/testcoord"
)

// reportFlags say what is written of runs.
type reportFlags struct {
	dir   string
	junit string
	tap   string
	json  string
}

func (f *reportFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.dir, "report", "", "folder for all that is known of a run: report.html, junit.xml, report.tap, run.json, events.jsonl; of several runs, a folder in it each, and index.html, which lists them")
	flags.StringVar(&f.junit, "junit", "", "file for all runs as JUnit XML")
	flags.StringVar(&f.tap, "tap", "", "file for all runs as TAP")
	flags.StringVar(&f.json, "json", "", "file for the event log of a run as JSON lines; of several, each line says in \"run\" which one it is of")
}

// reports collects what is to be written when all runs are over.
type reports struct {
	flags reportFlags
	runs  []*report.Run
	names []string // of runs; empty when there is only one

	index   report.Index
	listed  int       // how many runs are in it
	written time.Time // when it was written last
}

// indexEvery is how often the index is written while runs go on: it has all runs, and would else be most of what is written.
const indexEvery = time.Second

// add takes a run, and writes its own folder at once: what ends later must not lose it. dir is the run's name when
// there are several, else empty; title tells it from others.
func (r *reports) add(run *report.Run, dir, title string) error {
	if r.flags.junit != "" || r.flags.tap != "" || r.flags.json != "" {
		r.runs, r.names = append(r.runs, run), append(r.names, dir)
	}
	if r.flags.dir == "" {
		return nil
	}
	if err := report.Write(run, filepath.Join(r.flags.dir, dir)); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	if dir == "" {
		return nil
	}
	r.listed++
	r.index.Put(report.EntryOf(run, r.listed, title, report.LinkTo(dir), false))
	if time.Since(r.written) < indexEvery {
		return nil
	}
	return r.writeIndex()
}

// writeIndex writes the list of several runs, if there are some.
func (r *reports) writeIndex() error {
	if r.listed == 0 {
		return nil
	}
	r.written = time.Now()
	if err := report.WriteIndexFile(&r.index, r.flags.dir); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

// write writes the files of all runs.
func (r *reports) write() error {
	if len(r.runs) == 0 {
		return r.writeIndex()
	}
	return errors.Join(
		r.writeIndex(),
		writeTo("--junit", r.flags.junit, func(w io.Writer) error { return report.WriteJUnit(w, r.runs...) }),
		writeTo("--tap", r.flags.tap, func(w io.Writer) error { return report.WriteTAP(w, r.runs...) }),
		writeTo("--json", r.flags.json, r.writeEvents),
	)
}

// writeEvents writes the events of all runs. Those of several have the run's name before all else in each line, since time and numbers
// begin anew in each.
func (r *reports) writeEvents(w io.Writer) error {
	for i, run := range r.runs {
		if err := report.WriteEventsOf(w, r.names[i], run.Events); err != nil {
			return err
		}
	}
	return nil
}

// writeTo writes a file as replaceFile does.
func writeTo(flag, path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	var b bytes.Buffer
	err := write(&b)
	if err == nil {
		err = replaceFile(path, b.Bytes())
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", flag, path, systemSays(err))
	}
	return nil
}

// headOf is what is known of a run before it begins.
func headOf(suite *testcoord.Suite, h *how, start time.Time) *report.Run {
	return &report.Run{
		Suite: suite.Name, File: suite.File, Tags: suite.Tags, Peers: suite.Peers, Runner: h.runner, Seed: h.seed, Version: node.VersionLine(),
		Start: start, Gossip: gossipOf(suite),
	}
}

func stepOf(s testcoord.StepRecord) report.Step {
	return report.Step{
		File: s.File, Line: s.Line, Text: s.Text, Round: s.Round, Section: s.Section, Status: statusOf(s.Status),
		Start: s.Start, Duration: s.Duration, Err: s.Err, Details: s.Details,
	}
}

// reportOf is a run as reports know it.
func reportOf(suite *testcoord.Suite, h *how, result *testcoord.Result, log invariant.Log, missed uint64) *report.Run {
	run := headOf(suite, h, result.Start)
	run.Duration, run.Ready, run.Interrupted = result.Duration, result.Ready, result.Interrupted
	run.Missed, run.Events = missed, alignedEvents(log)
	for _, s := range result.Steps {
		if !s.Invariant {
			run.Steps = append(run.Steps, stepOf(s))
		}
	}
	run.Measures, run.Rates = measuresOf(result.Measures)
	for _, s := range result.Sections {
		run.Sections = append(run.Sections, report.Section{Title: s.Title, Start: s.Start, Duration: s.Duration})
	}
	for i, p := range result.Problems {
		one := report.Problem{Text: p}
		if i < len(result.Tails) { // a guest of another version tells none
			one.Details = result.Tails[i]
		}
		run.Problems = append(run.Problems, one)
	}
	for _, l := range log.Lives {
		run.Lives = append(run.Lives, report.Life{Peer: l.Peer, From: l.From, To: l.To, End: l.How})
	}
	for _, inv := range result.Invariants {
		run.Invariants = append(run.Invariants, invariantsOf(inv)...)
	}
	return run
}

// measuresOf are the durations and the rates that a suite has measured.
func measuresOf(all []testcoord.MeasureRecord) (durations []report.Measure, rates []report.Rate) {
	for _, m := range all {
		if m.Rate {
			var values []report.RateValue
			for _, s := range m.Samples {
				values = append(values, report.RateValue{Peer: s.Peer, Value: s.PerSecond})
			}
			rates = append(rates, report.NewRate(m.Name, values))
			continue
		}
		var values []report.MeasureValue
		for _, s := range m.Samples {
			values = append(values, report.MeasureValue{Peer: s.Peer, Value: s.To - s.From})
		}
		durations = append(durations, report.NewMeasure(m.Name, values))
	}
	return durations, rates
}

func statusOf(s testcoord.Status) report.Status {
	switch s {
	case testcoord.Passed:
		return report.Passed
	case testcoord.Failed:
		return report.Failed
	}
	return report.Skipped
}

func gossipOf(suite *testcoord.Suite) report.Gossip {
	g := report.Gossip{Profile: cmp.Or(suite.Profile, defaultSuiteProfile)}
	if t, err := membership.Profile(g.Profile); err == nil {
		g.Interval, g.Fanout = t.GossipInterval, t.GossipNodes
	}
	return g
}

// invariantsOf is one entry for an invariant that held, else one for each violation.
func invariantsOf(inv testcoord.InvariantRecord) []report.Invariant {
	if len(inv.Violations) == 0 {
		return []report.Invariant{{Name: inv.Name, OK: true}}
	}
	var out []report.Invariant
	for _, v := range inv.Violations {
		one := report.Invariant{Name: inv.Name, Message: v.Message}
		for _, e := range v.Proof {
			one.Proof = append(one.Proof, report.Proof{Peer: e.Peer, Seq: e.Event.GetSeq(), At: e.At, Text: e.String()})
		}
		out = append(out, one)
	}
	return out
}

// alignedEvents are the events of a run on one axis, in order.
func alignedEvents(log invariant.Log) []report.Event {
	var out []report.Event
	for _, e := range log.Aligned() {
		out = append(out, report.Event{At: e.At, Life: e.Life, Event: e.Event})
	}
	return report.InOrder(out)
}
