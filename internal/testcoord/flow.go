package testcoord

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// flow is one sequence of steps, and where it has come to. A branch of a parallel block and a step in the background have
// one of their own.
type flow struct {
	c      *Coordinator
	scope  *scope   // the variables of the blocks around
	last   []string // the peers of the last step that named some
	depth  int      // how many blocks are around
	round  string   // which rounds of the repeats around
	jobs   *jobs    // what runs in the background
	meet   *meeting // of the branches of the parallel block around; nil when there is none
	branch *Step    // of that block, in which the flow is
	all    bool     // goes on after a failure

	// Of the step that runs:
	step    *Step
	fixed   []string // what its WHO stands for, when that is settled
	ran     []bool   // which of these the suite had not ended then
	details []string // what to show below it, though it did not fail
	outputs []Output // of its commands, if they did not fail
	doing   *doing   // nil where it is not told that it runs
}

// inner is a flow for the steps of a block.
func (f *flow) inner() *flow {
	in := *f
	in.depth++
	in.details, in.outputs, in.fixed, in.ran, in.doing = nil, nil, nil, nil, nil
	return &in
}

// errOther is why a step is cut short when another has failed beside it.
var errOther = errors.New("another step has failed")

// steps runs one step after the other, up to the first that fails unless told to keep going. It reports whether all passed.
func (f *flow) steps(ctx context.Context, steps []*Step) bool {
	good := true
	for i, s := range steps {
		if f.c.spent() {
			return false
		}
		if ctx.Err() != nil {
			f.skip(steps[i:])
			return false
		}
		ok := f.one(ctx, s)
		died := f.c.reportDeaths()
		good = good && ok && !died
		if !good && !f.all {
			f.skip(steps[i+1:])
			return false
		}
	}
	return good
}

// one runs a step or a block.
func (f *flow) one(ctx context.Context, s *Step) bool {
	f.step, f.details, f.outputs, f.doing = s, nil, nil, nil
	begin := time.Now()
	if n := f.c.counted(); n > maxRuns {
		if n == maxRuns+1 {
			f.ended(ctx, s, begin, fmt.Errorf("the suite has run %d steps, which is the most", maxRuns))
		}
		return false
	}
	if heading, ok := s.act.(section); ok {
		f.c.beginSection(heading.title)
		return true
	}
	if cond, fails := f.c.fails(s.conds); fails {
		f.skipConditional(s, cond)
		return true
	}
	act, err := f.bind(s)
	if err != nil {
		return f.ended(ctx, s, begin, err)
	}
	if block, ok := act.(blockAction); ok {
		f.c.opening(f.record(s))
		return block.runBody(ctx, f, s)
	}
	if err := f.pause(ctx, s); err != nil {
		return f.ended(ctx, s, begin, err)
	}
	begin = time.Now()
	if s.background {
		f.background(ctx, s, act)
		return true
	}
	if filter, ok := act.(*filterStep); ok {
		if err := filter.run(ctx, f); err != nil {
			return f.ended(ctx, s, begin, err)
		}
		return true // it is judged at the end
	}
	f.begins(s, begin)
	return f.ended(ctx, s, begin, act.run(ctx, f))
}

// record is that of a step, without its end.
func (f *flow) record(s *Step) StepRecord {
	return StepRecord{
		File: s.File, Line: s.Line, Text: s.Text, Section: f.c.sectionTitle(), Depth: f.depth, Round: f.round,
		Status: Skipped, Start: time.Since(f.c.start),
	}
}

// begins tells that a step runs.
func (f *flow) begins(s *Step, begin time.Time) {
	rec := f.record(s)
	rec.Start = begin.Sub(f.c.start)
	f.doing = f.c.begins(rec)
}

// ended records the end of a step, and reports whether it passed.
func (f *flow) ended(ctx context.Context, s *Step, begin time.Time, err error) bool {
	rec := f.record(s)
	rec.Start, rec.Duration = begin.Sub(f.c.start), time.Since(begin)
	rec.Status, rec.Details, rec.Outputs = Passed, f.details, f.outputs
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		err = errors.New("interrupted")
		if errors.Is(context.Cause(ctx), errOther) {
			rec.Status, err = Skipped, errOther
		}
	}
	if err != nil {
		if rec.Err = err.Error(); rec.Status == Passed {
			rec.Status = Failed
		}
		var fail *failure
		if errors.As(err, &fail) {
			rec.Outputs = append(rec.Outputs, below(rec.Details, fail.outputs)...)
			rec.Details = append(rec.Details, fail.details...)
		}
	}
	f.c.ends(f.doing)
	f.c.report(rec)
	return err == nil
}

// skip records steps as skipped, after a failure.
func (f *flow) skip(steps []*Step) {
	for _, s := range steps {
		f.step = s
		switch act := s.act.(type) {
		case section:
			f.c.beginSection(act.title)
		case *filterStep:
			_ = f.addFilter(act) // of what nobody is, nothing is wanted
		default:
			if s.block {
				f.inner().skip(s.Body)
				continue
			}
			f.c.add(f.record(s))
		}
	}
}

// skipConditional reports a step that is not for here, and with a block all of its steps.
func (f *flow) skipConditional(s *Step, cond condition) {
	rec := f.record(s)
	rec.Err = "not " + cond.String() + " here"
	if !s.block {
		f.c.report(rec)
		return
	}
	f.c.opening(rec)
	f.inner().skip(s.Body)
}

// resolve returns the names that WHO stands for now.
func (f *flow) resolve(w who) ([]string, error) {
	var out []string
	switch {
	case f.fixed != nil:
		return f.fixed, nil
	case w.all || w.any > 0:
		out = f.c.wanted()
	case w.others:
		if len(f.last) == 0 {
			return nil, errors.New("no step before this one has named a peer, whose others could be meant")
		}
		out = slices.DeleteFunc(f.c.wanted(), func(name string) bool { return slices.Contains(f.last, name) })
	default:
		out = w.names
	}
	switch {
	case len(out) == 0 && w.others:
		return nil, errors.New("there are no others")
	case len(out) == 0:
		return nil, errors.New("the suite has ended all peers")
	case len(out) < w.any:
		return nil, fmt.Errorf("any %d are wanted, of only %s", w.any, counted(len(out), "peer"))
	case w.any > 0:
		out = f.choose(out, w.any)
		f.details = append(f.details, "any is "+strings.Join(out, ", "))
	}
	if !w.others {
		f.last = out
	}
	return out, nil
}

// choose takes n of the names, in their order. The choice depends on the seed and on the place of the step in its suite alone, so that it is
// the same in each run with that seed, whatever else goes on.
func (f *flow) choose(names []string, n int) []string {
	h := fnv.New64a()
	if f.step != nil {
		_, _ = fmt.Fprintf(h, "%s:%d %s", f.c.suite.fromSuite(f.step.File), f.step.Line, f.round)
	}
	chance := rand.New(rand.NewPCG(f.c.opt.Seed, h.Sum64()))
	taken := chance.Perm(len(names))[:n]
	slices.Sort(taken)
	out := make([]string, n)
	for i, at := range taken {
		out[i] = names[at]
	}
	return out
}

// wanted are the peers that the suite has not ended.
func (c *Coordinator) wanted() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, name := range c.suite.Peers {
		if c.peers[name].wanted() {
			out = append(out, name)
		}
	}
	return out
}

// ran says of which peers the suite has not ended.
func (c *Coordinator) ran(names []string) []bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]bool, len(names))
	for i, name := range names {
		out[i] = c.peers[name].wanted()
	}
	return out
}

// counted is the number of a step that is run, from 1.
func (c *Coordinator) counted() int {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	c.runs++
	return c.runs
}

// spent reports whether more steps were to be run than may be. What is left is not even recorded.
func (c *Coordinator) spent() bool {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	return c.runs > maxRuns
}

// add records a step.
func (c *Coordinator) add(rec StepRecord) {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	c.result.add(rec)
	c.tellEnded(rec)
}

// report records a step and shows it.
func (c *Coordinator) report(rec StepRecord) {
	if c.opt.Screen == nil {
		rec = rec.Shown(c.opt.Verbose)
	}
	c.reporting.Lock()
	defer c.reporting.Unlock()
	c.result.add(rec)
	c.tellEnded(rec)
	c.screen.Step(rec)
}

// opening shows the first line of a block, which is no step.
func (c *Coordinator) opening(rec StepRecord) {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	c.screen.Block(rec)
}

// runnerName is how $RUNNER and conditions call what starts the peers, unless the options say it.
func runnerName(opt *Options) string {
	name := "process"
	if opt.Runner == nil {
		name = "attach"
	}
	return cmp.Or(opt.RunnerName, name)
}
