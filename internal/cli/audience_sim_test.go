package cli

import (
	"testing"
	"time"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/testcoord"
)

// TestAudienceSeesSimulations checks that the status line tells of a simulation what it tells of any run.
func TestAudienceSeesSimulations(t *testing.T) {
	t.Parallel()
	_, line := newPaper(100)
	for _, site := range []*report.Site{nil, report.NewSite(nil)} {
		a := &audience{line: line, site: site, end: func() {}}
		s := a.begin(&testcoord.Suite{Name: "one", Peers: []string{"alice", "bob"}}, &how{runner: inSim}, "one")
		o := s.ofSimulation()
		o.RunBegins(time.Now())
		for _, name := range []string{"alice", "bob", "carol"} {
			o.LifeBegins(invariant.Life{Peer: name})
		}
		o.LifeEnds(invariant.Life{Peer: "carol", Ended: true, How: "kill"})
		step := testcoord.StepRecord{Line: 3, Text: "lab sleep 1h", Start: time.Second}
		o.StepBegins(step)
		p := s.now()
		if p.Peers != (testcoord.PeerStates{Alive: 2, Killed: 1}) || len(p.Steps) != 1 || p.Steps[0].Text != "lab sleep 1h" {
			t.Errorf("%+v", p)
		}
		step.Status, step.Duration = testcoord.Passed, time.Hour
		o.StepEnds(step)
		if p := s.now(); len(p.Steps) != 0 {
			t.Errorf("%+v", p)
		}
		s.over(&report.Run{}, nil)
	}
	if s := (&audience{}).begin(&testcoord.Suite{}, &how{}, "x"); s.ofSimulation() != nil {
		t.Error("somebody is there")
	}
}
