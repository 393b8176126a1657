package testcoord

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"peerlab.example/peerlab/internal/command"
)

// filterStep is the prototype's testfilter: by the end of the run exactly count lines that begin
// with prefix were shown at each of who. Its own step only notes it; see Coordinator.judgeFilters.
type filterStep struct {
	who    who
	view   string
	word   string // the view as the suite says it
	count  int
	prefix string
}

func (f *filterStep) run(_ context.Context, in *flow) error {
	return in.addFilter(f)
}

// filter reads "testfilter VIEWView N TEXT".
func (p *parser) filter(l line, peers who, m mode) {
	const usage = "testfilter messagesView N TEXT"
	if p.mods.background {
		p.fail(l, l.col(0), "", "a filter is judged at the end of the run, and not in the background")
		return
	}
	if p.around("cleanup") != nil {
		p.fail(l, l.col(0), "", "a filter is judged before the cleanup, and cannot stand in it")
		return
	}
	if m != mustPass {
		p.fail(l, l.col(0), "", "testfilter is no command: %q cannot be said of it", m)
		return
	}
	if len(l.words) < 4 {
		p.fail(l, l.end(), "", "a filter is: %s", usage)
		return
	}
	view, ok := strings.CutSuffix(l.words[1].Text, "View")
	if !ok || view == "" {
		p.fail(l, l.col(1), "messagesView", "unknown view %q", l.words[1].Text)
		return
	}
	n, err := strconv.Atoi(l.words[2].Text)
	if err != nil || n < 0 {
		p.fail(l, l.col(2), "", "%q is not a whole number; a filter is: %s", l.words[2].Text, usage)
		return
	}
	p.step(l, &filterStep{who: peers, view: view, word: l.words[1].Text, count: n, prefix: l.after(3).text()})
}

// pendingFilter is a filter at one peer, to be judged at the end of the run.
type pendingFilter struct {
	record StepRecord
	who    string // the peer
	text   string // as the summary shows it
	expect *expectStep
}

// addFilter notes a filter for the end of the run.
func (f *flow) addFilter(s *filterStep) error {
	names, err := f.resolve(s.who)
	if err != nil {
		return err
	}
	c := f.c
	shown := eventCount{kind: "shown", want: comparison{op: "=", n: s.count}, fields: []fieldTest{
		{name: "view", want: s.view},
		{name: "text", re: regexp.MustCompile("^" + regexp.QuoteMeta(s.prefix))},
	}}
	rec := f.record(f.step)
	rec.Filter = true
	c.reporting.Lock()
	defer c.reporting.Unlock()
	for _, name := range names {
		text := fmt.Sprintf("%s %s %d %s", name, s.word, s.count, command.Clean(s.prefix))
		c.filters = append(c.filters, &pendingFilter{
			record: rec, who: name, text: text,
			expect: &expectStep{limit: expectWithin, pred: shown, text: fmt.Sprintf("exactly %d lines that begin with %q", s.count, s.prefix)},
		})
	}
	return nil
}

// judgeFilters judges all filters at once: each has a time to reach its count, and a settling to exceed it.
// After a failure there is nothing to wait for, and they are skipped.
func (c *Coordinator) judgeFilters(ctx context.Context) {
	if c.result.OK() && ctx.Err() == nil {
		var judging sync.WaitGroup
		for _, f := range c.filters {
			judging.Go(func() { c.judgeFilter(ctx, f) })
		}
		judging.Wait()
	}
	for _, f := range c.filters {
		c.result.Filters = append(c.result.Filters, FilterRecord{Text: f.text, Status: f.record.Status})
		if f.record.Status == Skipped {
			c.add(f.record)
		} else {
			c.report(f.record)
		}
	}
}

func (c *Coordinator) judgeFilter(ctx context.Context, f *pendingFilter) {
	begin := time.Now()
	w := c.watch(f.expect, []string{f.who}, []bool{true})
	defer c.unwatch(w)
	f.record.Status = Passed
	if err := c.await(ctx, w); err != nil {
		f.record.Status, f.record.Err, f.record.Details = Failed, err.Error(), c.explain(w)
	}
	f.record.Duration = time.Since(begin)
}
