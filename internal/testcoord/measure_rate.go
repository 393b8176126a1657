package testcoord

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"peerlab.example/peerlab/internal/command"
)

// rateStep is "measure NAME rate METRIC for D [by WHO]": how much a number that only grows does so in a second, at each peer.
type rateStep struct {
	name   string
	metric metricIs
	length time.Duration
	by     who
}

// rate reads the line behind "measure NAME rate". It is a step, since it takes its time.
func (p *parser) rate(l line) {
	const usage = "measure traffic rate gossip_bytes_sent_total for 10s"
	step := &rateStep{name: l.words[1].Text, by: who{all: true}}
	rest := l.after(3)
	metric, ok := p.metricName(rest, usage)
	if !ok {
		return
	}
	if step.metric = metric; !strings.HasSuffix(metric.name, counterSuffix) {
		p.fail(l, rest.col(0), "", "%s does not only grow, so it has no rate: that have those whose names end in %s", metric.name, counterSuffix)
		return
	}
	if !rest.is(1, "for") {
		p.fail(l, rest.col(1), "", "for how long? %s", usage)
		return
	}
	if step.length, ok = p.duration(rest, 2); !ok {
		return
	}
	if rest = rest.after(3); rest.is(0, "by") {
		if len(rest.words) == 1 {
			p.fail(l, rest.end(), "", "by whom? %s by alice", usage)
			return
		}
		if step.by, rest, ok = p.who(rest.after(1)); !ok {
			return
		}
	}
	if !p.nothingAfter(rest, 0) {
		return
	}
	p.suite.Measures = append(p.suite.Measures, Measure{Name: step.name, Line: l.no, Text: l.text(), rate: true})
	p.step(l, step)
}

func (s *rateStep) run(ctx context.Context, f *flow) error {
	names, err := f.resolve(s.by)
	if err != nil {
		return err
	}
	before, err := f.c.readings(ctx, names, s.metric)
	if err != nil {
		return err
	}
	if err := (sleepStep{s.length}).run(ctx, f); err != nil {
		return err
	}
	after, err := f.c.readings(ctx, names, s.metric)
	if err != nil {
		return err
	}
	record := MeasureRecord{Name: s.name, Rate: true}
	for i, name := range names {
		from, to := before[i], after[i]
		grown := to.value - from.value
		if grown < 0 {
			return &failure{msg: fmt.Sprintf("%s began anew at %s meanwhile", s.metric.name, name)}
		}
		record.Samples = append(record.Samples, Sample{
			Peer: name, From: from.at, To: to.at, PerSecond: grown / (to.at - from.at).Seconds(),
		})
	}
	f.details = append(f.details, record.String())
	f.c.keepRate(record)
	return nil
}

// reading is a number of a peer, and when it was there, since the start of the run.
type reading struct {
	value float64
	at    time.Duration
}

// readings asks peers for a number, all at once.
func (c *Coordinator) readings(ctx context.Context, names []string, m metricIs) ([]reading, error) {
	out := make([]reading, len(names))
	asking, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		asking.Go(func() (err error) {
			out[i], err = c.reading(ctx, name, m)
			return err
		})
	}
	return out, asking.Wait()
}

func (c *Coordinator) reading(ctx context.Context, name string, m metricIs) (reading, error) {
	k := c.startQuestion(name, m.question())
	select {
	case <-k.ended:
	case <-ctx.Done():
		c.forget(k)
		return reading{}, context.Cause(ctx)
	}
	if k.err != nil {
		return reading{}, k.err
	}
	g := gauge{metricIs: m}
	g.answer(k.done)
	if g.err != "" {
		return reading{}, &failure{msg: fmt.Sprintf("%s cannot be asked: %s", name, command.Clean(g.err))}
	}
	return reading{value: g.sum, at: time.Since(c.start)}, nil
}

// keepRate adds to what was measured under that name, if the line is run several times.
func (c *Coordinator) keepRate(r MeasureRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rates[r.Name] = append(c.rates[r.Name], r.Samples...)
}
