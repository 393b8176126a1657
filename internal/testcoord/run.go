package testcoord

import (
	"cmp"
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
	c.observe(begin)
	c.mu.Unlock()
	c.result = &Result{Suite: c.suite.Name, File: c.suite.File, Peers: len(c.suite.Peers), Start: begin}
	err := c.gather(ctx) // who starts the peers may take a while: that is not the suite's time
	work, cancel := context.WithCancel(ctx)
	if limit := cmp.Or(c.suite.Timeout, c.opt.Timeout); limit > 0 && c.opt.Before == nil {
		work, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("the suite was not done within %s", limit))
	}
	defer cancel()
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		c.watchRoster(work)
	}()
	f := &flow{c: c, jobs: &jobs{}, all: c.opt.KeepGoing}
	c.enter(Starting)
	if err == nil {
		err = c.startPeers(work, c.suite.Peers)
	}
	c.result.Ready = time.Since(begin)
	ready := err == nil
	c.enter(Running)
	if ready {
		good := f.steps(work, c.suite.Steps)
		f.endJobs(!good && !f.all)
		c.reportDeaths()
	} else {
		if ctx.Err() == nil {
			c.reportStart(err)
		}
		if ctx.Err() == nil && work.Err() != nil {
			err = nil // the suite's own time was up, which is a failure of it as any other
		}
		f.skip(c.suite.Steps)
	}
	c.endSection()
	c.enter(Judging)
	c.judgeInvariants()
	c.takeMeasures()
	c.judgeFilters(work)
	kept := ready && c.keepUp(ctx)
	c.enter(Running)
	c.cleanUp(ctx, ready)
	c.enter(Ending)
	if cause := context.Cause(ctx); cause != nil && !kept {
		c.result.Interrupted = true
		err = cause
	}
	c.reportDeaths()
	c.endAll()
	cancel()
	<-watching
	c.enter(Over)
	c.result.Duration, c.result.Floods = time.Since(begin), c.floods()
	c.screen.Summary(c.result)
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

// cleanUp runs the suite's cleanup, whatever has become of the run, if it began at all.
func (c *Coordinator) cleanUp(ctx context.Context, ready bool) {
	f := &flow{c: c, jobs: &jobs{}, all: true}
	for _, s := range c.suite.Cleanup {
		if !ready {
			f.inner().skip(s.Body)
			continue
		}
		limit := cleanupWithin
		if b, ok := s.act.(cleanupBlock); ok {
			limit = b.within
		}
		// Also when ctx has ended: that is when it matters.
		bounded, stop := context.WithTimeoutCause(context.WithoutCancel(ctx), limit, fmt.Errorf("the cleanup was not done within %s", limit))
		good := f.one(bounded, s)
		f.endJobs(!good)
		stop()
	}
}

func (c *Coordinator) beginSection(title string) {
	c.endSection()
	c.reporting.Lock()
	defer c.reporting.Unlock()
	c.result.Sections = append(c.result.Sections, SectionRecord{Title: title, Start: time.Since(c.start)})
	c.section = &c.result.Sections[len(c.result.Sections)-1]
	c.screen.Section(title)
}

func (c *Coordinator) endSection() {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	if c.section != nil {
		c.section.Duration = time.Since(c.start) - c.section.Start
		c.section = nil
	}
}

func (c *Coordinator) sectionTitle() string {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	if c.section == nil {
		return ""
	}
	return c.section.Title
}

// reportDeaths tells of the peers that ended although nobody asked, once each.
func (c *Coordinator) reportDeaths() bool {
	c.reporting.Lock()
	c.mu.Lock()
	deaths := c.deaths[c.told:]
	c.told = len(c.deaths)
	c.mu.Unlock()
	c.reporting.Unlock()
	for _, l := range deaths {
		c.problem(l.peer.name+" "+l.death, tail(l.process))
	}
	return len(deaths) > 0
}

// problem records what went wrong outside of a step.
func (c *Coordinator) problem(what string, lines []string) {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	c.result.Problems = append(c.result.Problems, what)
	c.result.Tails = append(c.result.Tails, lines)
	c.screen.Problem(what, lines)
}
