package testcoord

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/invariant"
)

// MeasureRecord is a measure and what was taken for it.
type MeasureRecord struct {
	Name string
	// Rate is set where the samples are rates; else they are durations.
	Rate bool
	// Samples are in the order of their ends.
	Samples []Sample
}

// Sample is one duration, or one rate, at one peer.
type Sample struct {
	Peer string
	// From and To are since the start of the run.
	From, To time.Duration
	// PerSecond is the rate between From and To; 0 in a duration.
	PerSecond float64 `json:",omitempty"`
}

// quantiles are what can be asked of a measure, and which part of the samples is not longer.
var quantiles = map[string]float64{"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1, "min": 0}

// Value is what a sample says: a duration in nanoseconds, or a rate per second.
func (m MeasureRecord) Value(s Sample) float64 {
	if m.Rate {
		return s.PerSecond
	}
	return float64(s.To - s.From)
}

// Quantile is the smallest value of which at least that part of all is not larger (nearest rank); 0 without samples.
func (m MeasureRecord) Quantile(part float64) float64 {
	if len(m.Samples) == 0 {
		return 0
	}
	all := make([]float64, len(m.Samples))
	for i, s := range m.Samples {
		all[i] = m.Value(s)
	}
	slices.Sort(all)
	rank := int(part * float64(len(all)))
	if float64(rank) == part*float64(len(all)) {
		rank--
	}
	return all[min(max(rank, 0), len(all)-1)]
}

// Shown is a value for a person.
func (m MeasureRecord) Shown(value float64) string {
	if m.Rate {
		return command.PerSecond(value)
	}
	return command.Duration(time.Duration(value))
}

func (m MeasureRecord) String() string {
	if len(m.Samples) == 0 {
		return m.Name + "  nothing was measured"
	}
	return fmt.Sprintf("%s  p50 %s  p95 %s  max %s  of %d", m.Name, m.Shown(m.Quantile(0.5)),
		m.Shown(m.Quantile(0.95)), m.Shown(m.Quantile(1)), len(m.Samples))
}

// measured takes a measure from an aligned log of what is known so far. At each peer, a duration goes from the first event of the one kind since the last
// duration to the next of the other kind. Where a peer itself never logs the first, it is the one that any peer logged, and may seem to
// be a little later than what came of it.
func (c *Coordinator) measured(m Measure, log []invariant.Entry) MeasureRecord {
	if m.rate {
		c.mu.Lock()
		defer c.mu.Unlock()
		return MeasureRecord{Name: m.Name, Rate: true, Samples: slices.Clone(c.rates[m.Name])}
	}
	out := MeasureRecord{Name: m.Name}
	names := m.by.names
	if m.by.all {
		names = c.suite.Peers
	}
	begins, ends := map[string][]time.Duration{}, map[string][]time.Duration{}
	var anywhere []time.Duration
	for _, e := range log {
		if m.from.holds(e.Event) {
			begins[e.Peer] = append(begins[e.Peer], e.At)
			anywhere = append(anywhere, e.At)
		}
		if m.to.holds(e.Event) {
			ends[e.Peer] = append(ends[e.Peer], e.At)
		}
	}
	slices.Sort(anywhere)
	for _, name := range names {
		if len(begins[name]) > 0 {
			out.Samples = append(out.Samples, pairs(name, begins[name], ends[name], 0)...)
		} else {
			out.Samples = append(out.Samples, pairs(name, anywhere, ends[name], invariant.Skew)...)
		}
	}
	slices.SortStableFunc(out.Samples, func(a, b Sample) int { return cmp.Compare(a.To, b.To) })
	return out
}

// pairs are the durations at a peer. No event begins two of them. What seems to begin too early, or too late, by no more than skew did so in
// time; in virtual time, much happens at the same time.
func pairs(peer string, begins, ends []time.Duration, skew time.Duration) []Sample {
	var out []Sample
	last := time.Duration(math.MinInt64) + skew
	for _, end := range ends {
		i := slices.IndexFunc(begins, func(t time.Duration) bool { return t >= last-skew })
		if i < 0 {
			break
		}
		if begins = begins[i:]; begins[0] > end+skew {
			continue
		}
		out = append(out, Sample{Peer: peer, From: min(begins[0], end), To: end})
		last, begins = end, begins[1:]
	}
	return out
}

// aligned are the events so far, on one axis.
func (c *Coordinator) aligned() []invariant.Entry {
	log, _ := c.Log()
	return log.Aligned()
}

// takeMeasures takes all measures at the end of the run.
func (c *Coordinator) takeMeasures() {
	if len(c.suite.Measures) == 0 {
		return
	}
	log := c.aligned()
	for _, m := range c.suite.Measures {
		c.result.Measures = append(c.result.Measures, c.measured(m, log))
	}
}

// measureStep is "expect measure NAME QUANTILE OP D", or with a number where it is a rate.
type measureStep struct {
	measure  Measure
	quantile string
	op       string
	want     float64 // as Value is
	text     string
}

func (s *measureStep) run(_ context.Context, f *flow) error {
	m := f.c.measured(s.measure, f.c.aligned())
	if len(m.Samples) == 0 {
		return &failure{msg: "nothing was measured so far", details: []string{"wanted  " + s.text}}
	}
	got := m.Quantile(quantiles[s.quantile])
	if compares(s.op, cmp.Compare(got, s.want)) {
		f.details = append(f.details, m.String())
		return nil
	}
	out := &failure{msg: fmt.Sprintf("%s is %s", s.quantile, m.Shown(got)), details: []string{"wanted  " + s.text, "seen    " + m.String()}}
	most := slices.Clone(m.Samples)
	slices.SortStableFunc(most, func(a, b Sample) int { return cmp.Compare(m.Value(b), m.Value(a)) })
	for _, l := range most[:min(len(most), eventsShown)] {
		out.details = append(out.details, fmt.Sprintf("event   %s  %s, from +%s on", l.Peer, m.Shown(m.Value(l)), command.Duration(l.From)))
	}
	return out
}
