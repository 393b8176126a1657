package testcoord

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Run starts the peers, runs all steps and ends the peers. It may be called once. The result is never nil; the
// error says why not every step was tried: a peer that did not start, or the end of ctx. When Run
// returns, no process that it started is left, and no stream.
func (c *Coordinator) Run(ctx context.Context) (*Result, error) {
	begin := time.Now()
	c.mu.Lock()
	c.start = begin
	c.mu.Unlock()
	c.result = &Result{Suite: c.suite.Name, File: c.suite.File, Peers: len(c.suite.Peers), Start: begin}
	work, cancel := context.WithCancel(ctx)
	if c.suite.Timeout > 0 {
		work, cancel = context.WithTimeoutCause(ctx, c.suite.Timeout, fmt.Errorf("the suite was not done within %s", c.suite.Timeout))
	}
	defer cancel()
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		c.watchRoster(work)
	}()
	err := c.startPeers(work, c.suite.Peers)
	c.result.Ready = time.Since(begin)
	if err == nil {
		c.runSteps(work)
	} else {
		if ctx.Err() == nil {
			c.reportStart(err)
		}
		c.skipFrom(0)
	}
	c.endSection()
	c.judgeInvariants()
	c.judgeFilters(work)
	if cause := context.Cause(ctx); cause != nil {
		c.result.Interrupted = true
		err = cause
	}
	c.reportDeaths()
	c.endAll()
	cancel()
	<-watching
	c.result.Duration = time.Since(begin)
	c.print.summary(c.result, c.filters)
	return c.result, err
}

// reportStart tells why the peers did not start.
func (c *Coordinator) reportStart(err error) {
	c.reportDeaths()
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	for _, err := range errs {
		var died *diedError
		var f *failure
		switch {
		case errors.As(err, &died): // told already
		case errors.As(err, &f):
			c.problem(f.msg, f.details)
		default:
			c.problem(err.Error(), nil)
		}
	}
}

// runSteps runs one step after the other, up to the first that fails unless told to keep going.
func (c *Coordinator) runSteps(ctx context.Context) {
	for i, s := range c.suite.Steps {
		if heading, ok := s.act.(section); ok {
			c.beginSection(heading.title)
			continue
		}
		ok := c.runStep(ctx, s)
		died := c.reportDeaths()
		if (!ok || died) && !c.opt.KeepGoing || ctx.Err() != nil {
			c.skipFrom(i + 1)
			return
		}
	}
}

func (c *Coordinator) runStep(ctx context.Context, s *Step) bool {
	c.details = nil
	begin := time.Now()
	err := s.act.run(ctx, c)
	if f, ok := s.act.(*filterStep); ok && err == nil {
		c.addFilter(s, f)
		return true
	}
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		err = errors.New("interrupted")
	}
	rec := StepRecord{
		Line: s.Line, Text: s.Text, Section: c.sectionTitle(), Status: Passed,
		Start: begin.Sub(c.start), Duration: time.Since(begin), Details: c.details,
	}
	if err != nil {
		rec.Status, rec.Err = Failed, err.Error()
		var f *failure
		if errors.As(err, &f) {
			rec.Details = f.details
		}
	}
	c.result.add(rec)
	c.print.step(rec)
	return err == nil
}

// skipFrom records the steps from number i on as skipped.
func (c *Coordinator) skipFrom(i int) {
	for _, s := range c.suite.Steps[i:] {
		if heading, ok := s.act.(section); ok {
			c.beginSection(heading.title)
			continue
		}
		if f, ok := s.act.(*filterStep); ok {
			c.addFilter(s, f)
			continue
		}
		c.result.add(StepRecord{
			Line: s.Line, Text: s.Text, Section: c.sectionTitle(), Status: Skipped, Start: time.Since(c.start),
		})
	}
}

func (c *Coordinator) beginSection(title string) {
	c.endSection()
	c.result.Sections = append(c.result.Sections, SectionRecord{Title: title, Start: time.Since(c.start)})
	c.section = &c.result.Sections[len(c.result.Sections)-1]
	c.print.heading(title)
}

func (c *Coordinator) endSection() {
	if c.section != nil {
		c.section.Duration = time.Since(c.start) - c.section.Start
		c.section = nil
	}
}

func (c *Coordinator) sectionTitle() string {
	if c.section == nil {
		return ""
	}
	return c.section.Title
}

// resolve returns the names that WHO stands for now.
func (c *Coordinator) resolve(w who) ([]string, error) {
	if !w.all {
		return w.names, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, name := range c.suite.Peers {
		if c.peers[name].wanted() {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the suite has ended all peers")
	}
	return out, nil
}

// tailShown is how many lines of a process that died are shown.
const tailShown = 12

// reportDeaths tells of the peers that ended although nobody asked, once each.
func (c *Coordinator) reportDeaths() bool {
	c.mu.Lock()
	deaths := c.deaths[c.told:]
	c.told = len(c.deaths)
	c.mu.Unlock()
	for _, l := range deaths {
		c.problem(l.peer.name+" "+l.death, tail(l.process))
	}
	return len(deaths) > 0
}

// tail is what a process wrote last.
func tail(p Process) []string {
	if p == nil {
		return nil
	}
	return p.Tail(tailShown)
}

// problem records what went wrong outside of a step.
func (c *Coordinator) problem(what string, lines []string) {
	c.result.Problems = append(c.result.Problems, what)
	c.print.problem(what, lines)
}
