package study

import (
	"time"

	"peerlab.example/peerlab/internal/predict"
	"peerlab.example/peerlab/internal/report"
)

// formula is what package predict says of a line of a measure; ok is false where it says nothing.
type formula struct {
	of, name string
	number   func(predict.Figures) (number float64, ok bool)
}

// formulas are those of the measures that have these names. The doc comments of package predict have them in full, with their sources.
var formulas = map[string][]formula{
	"message": {
		{report.LineMedian, "half of the peers know it, by gossip as a push epidemic (Demers et al. 1987)", after(func(f predict.Figures) time.Duration { return f.Half })},
		{report.LineMost, "all know it, by gossip as a push epidemic (Demers et al. 1987)", after(func(f predict.Figures) time.Duration { return f.All })},
	},
	"suspected": {
		{report.LineLeast, "the mean until the first probe of it has failed (SWIM, Das et al. 2002)", after(func(f predict.Figures) time.Duration { return f.Suspected })},
	},
	"lost": {
		{report.LineLeast, "until the first suspicion has run out, with confirmations (Lifeguard, Dadgar et al. 2017)", after(func(f predict.Figures) time.Duration { return f.Lost })},
		{report.LineMost, "and until all know it, by gossip", after(func(f predict.Figures) time.Duration { return f.LostByAll })},
	},
	"packets": {
		{report.LineMedian, "a ping and an ack in each probe interval (SWIM)", func(f predict.Figures) (float64, bool) { return f.Packets, true }},
	},
}

// after is the formula of a duration, which is 0 where there is none.
func after(of func(predict.Figures) time.Duration) func(predict.Figures) (float64, bool) {
	return func(f predict.Figures) (float64, bool) { return of(f).Seconds(), of(f) > 0 }
}

// Theory is what is expected of a measure; figures belong to the values of the study. Without any, nothing is.
func Theory(measure string, figures []predict.Figures) []report.Theory {
	if len(figures) == 0 {
		return nil
	}
	var out []report.Theory
	for _, f := range formulas[measure] {
		t := report.Theory{Of: f.of, Name: f.name}
		for _, figure := range figures {
			n, ok := f.number(figure)
			if !ok {
				n = -1
			}
			t.Numbers = append(t.Numbers, n)
		}
		out = append(out, t)
	}
	return out
}
