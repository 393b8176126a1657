package report

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

const ms = time.Millisecond

// generator makes runs that look like real ones, the same ones for the same seed.
type generator struct {
	run    *Run
	rng    *rand.Rand
	number map[string]uint64
}

func newGenerator(seed uint64, suite string, peers int) *generator {
	g := &generator{
		run: &Run{
			Suite: suite, File: "examples/" + suite + ".lab", Seed: seed, Runner: "process", Version: "v0.5.0",
			Gossip: Gossip{Profile: "fast", Interval: 20 * ms, Fanout: 3},
			Start:  time.Date(2026, 11, 2, 14, 2, 0, 0, time.UTC), Ready: 180 * ms,
		},
		rng: rand.New(rand.NewPCG(seed, 1)), number: map[string]uint64{},
	}
	names := []string{"alice", "bob", "carol", "dave", "erin"}
	for i := range peers {
		name := fmt.Sprintf("p%d", i+1)
		if peers <= len(names) {
			name = names[i]
		}
		g.run.Peers = append(g.run.Peers, name)
	}
	return g
}

func (g *generator) emit(at time.Duration, node string, e *eventv1.Event) {
	e.Node, e.Time, e.MonoNs = node, timestamppb.New(g.run.Start.Add(at)), int64(at)+1
	g.run.Events = append(g.run.Events, Event{At: at, Event: e})
}

// spread tells the others of something as gossip does: each round, who knows tells three at random.
func (g *generator) spread(at time.Duration, first string, to []string, tell func(at time.Duration, node string)) {
	knows := map[string]bool{first: true}
	tell(at, first)
	for round := 1; len(knows) < len(to) && round < 60; round++ {
		told := map[string]bool{}
		for range len(knows) * 3 {
			told[to[g.rng.IntN(len(to))]] = true
		}
		for _, name := range to {
			if told[name] && !knows[name] {
				knows[name] = true
				tell(at+time.Duration(round)*20*ms+time.Duration(g.rng.IntN(8000))*time.Microsecond, name)
			}
		}
	}
}

func member(name string) *eventv1.Member {
	return &eventv1.Member{Peer: name, Id: "id-" + name, Addr: "127.0.0.1:7000"}
}

func (g *generator) joined(at time.Duration, name string, others []string) {
	g.emit(at, name, &eventv1.Event{What: &eventv1.Event_Joined{Joined: member(name)}})
	for _, o := range others {
		if o != name {
			g.emit(at+2*ms, name, &eventv1.Event{What: &eventv1.Event_Joined{Joined: member(o)}})
		}
	}
	if len(others) == 0 {
		return
	}
	g.spread(at+3*ms, others[0], others, func(at time.Duration, node string) {
		g.emit(at, node, &eventv1.Event{What: &eventv1.Event_Joined{Joined: member(name)}})
	})
}

func (g *generator) lost(at time.Duration, name string, by []string) {
	for _, o := range by[:min(3, len(by))] {
		g.emit(at-400*ms, o, &eventv1.Event{What: &eventv1.Event_Suspected{Suspected: member(name)}})
	}
	g.spread(at, by[0], by, func(at time.Duration, node string) {
		g.emit(at, node, &eventv1.Event{What: &eventv1.Event_Lost{Lost: member(name)}})
	})
}

func (g *generator) message(at time.Duration, from, text string, to, cut []string) {
	g.number[from]++
	id := fmt.Sprintf("c0ffee00-0000-4000-8000-%012d/%d", slices.Index(g.run.Peers, from), g.number[from])
	body := func() *eventv1.Message {
		return &eventv1.Message{App: "chat", Id: id, From: from, Text: text, Seq: g.number[from]}
	}
	sent := body()
	sent.Receivers = append(slices.Clone(to), cut...)
	g.emit(at, from, &eventv1.Event{What: &eventv1.Event_Sent{Sent: sent}})
	for _, o := range to {
		m := body()
		m.To, m.Hop = o, 1
		later := at + time.Duration(300+g.rng.IntN(4000))*time.Microsecond
		g.emit(later, o, &eventv1.Event{What: &eventv1.Event_Message{Message: m}})
	}
	for _, o := range cut {
		m := body()
		m.To, m.Reason = o, "the talk has ended"
		g.emit(at+time.Duration(40+g.rng.IntN(60))*ms, from, &eventv1.Event{What: &eventv1.Event_Dropped{Dropped: m}})
	}
}

func (g *generator) step(line int, section, text string, from, took time.Duration) *Step {
	g.run.Steps = append(g.run.Steps, Step{Line: line, Section: section, Text: text, Status: Passed, Start: from, Duration: took})
	return &g.run.Steps[len(g.run.Steps)-1]
}

// finish numbers the events as their peers would have.
func (g *generator) finish(took time.Duration) *Run {
	g.run.Duration = took
	g.run.Events = InOrder(g.run.Events)
	seq := map[string]uint64{}
	for _, e := range g.run.Events {
		seq[e.GetNode()]++
		e.Seq = seq[e.GetNode()]
	}
	return g.run
}

func without(names []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(gone, n) })
}

// partitionRun is five peers, a partition of a few seconds, a kill and a failed expectation.
func partitionRun() *Run {
	g := newGenerator(7, "partition and heal", 5)
	all := g.run.Peers
	for i, name := range all {
		g.joined(time.Duration(100+i*35)*ms, name, all[:i])
		g.run.Lives = append(g.run.Lives, Life{Peer: name, From: 20 * ms, To: 12 * time.Second})
	}
	g.step(11, "everyone is here", "all     init", 90*ms, 210*ms)
	g.step(12, "everyone is here", "expect  all within 10s members alive = 5", 310*ms, 240*ms)
	for i, from := range all {
		g.message(600*ms+time.Duration(i)*60*ms, from, "hello from "+from, without(all, from), nil)
	}
	left, right := all[:2], all[2:]
	for _, name := range all {
		rule := &eventv1.Fault{Rule: "partition alice bob | carol dave erin", Active: true}
		g.emit(time.Second, name, &eventv1.Event{What: &eventv1.Event_Fault{Fault: rule}})
		g.emit(6*time.Second, name, &eventv1.Event{What: &eventv1.Event_Fault{Fault: &eventv1.Fault{Rule: rule.GetRule()}}})
	}
	g.step(15, "the split", "lab     partition alice bob | carol dave erin", time.Second, 4*ms)
	g.step(16, "the split", "expect  alice,bob within 20s members alive = 2", 1004*ms, 2100*ms)
	for i, name := range right {
		g.lost(2900*ms+time.Duration(i)*50*ms, name, left)
	}
	for i, name := range left {
		g.lost(2850*ms+time.Duration(i)*70*ms, name, right)
	}
	for i := range 6 {
		g.message(3500*ms+time.Duration(i)*300*ms, "alice", fmt.Sprintf("left side %d", i+1), []string{"bob"}, right)
		g.message(3600*ms+time.Duration(i)*300*ms, "dave", fmt.Sprintf("right side %d", i+1), []string{"carol", "erin"}, left)
	}
	g.step(18, "the split", `alice   msg "left side"`, 3500*ms, 1900*ms)
	g.step(23, "healed", "lab     heal", 6*time.Second, 3*ms)
	for _, o := range all {
		for _, name := range all {
			if slices.Contains(left, o) != slices.Contains(left, name) {
				at := 6300*ms + time.Duration(g.rng.IntN(300))*ms
				g.emit(at, o, &eventv1.Event{What: &eventv1.Event_Recovered{Recovered: member(name)}})
			}
		}
	}
	g.step(24, "healed", "expect  all within 10s members alive = 5", 6004*ms, 640*ms)
	g.message(7*time.Second, "erin", "we are one again", without(all, "erin"), nil)
	g.run.Lives[2].To, g.run.Lives[2].End = 8*time.Second, "killed by the suite"
	g.lost(9400*ms, "carol", without(all, "carol"))
	failed := g.step(27, "healed", "expect  all within 1s members alive = 5", 9*time.Second, time.Second)
	failed.Status, failed.Err = Failed, "expected members alive = 5 at all within 1s"
	failed.Details = []string{"alice: 4 alive (alice bob dave erin), 1 lost (carol)", "bob: 4 alive (alice bob dave erin), 1 lost (carol)"}
	g.step(28, "healed", "carol   msg bye", 10*time.Second, 0).Status = Skipped
	g.run.Sections = []Section{
		{Title: "everyone is here", Start: 90 * ms, Duration: 900 * ms}, {Title: "the split", Start: time.Second, Duration: 5 * time.Second},
		{Title: "healed", Start: 6 * time.Second, Duration: 4 * time.Second},
	}
	g.run.Measures = []Measure{NewMeasure("detect", []MeasureValue{{"alice", 1400 * ms}, {"bob", 1420 * ms}, {"dave", 1450 * ms}})}
	r := g.finish(12 * time.Second)
	r.Invariants = []Invariant{
		{Name: "per-sender-order", OK: true},
		{Name: "no-false-death", Message: "alice took carol for lost, who ran", Proof: []Proof{{Peer: "alice", Seq: 14, At: 2900 * ms, Text: "2.900s alice: lost peer=carol"}}},
	}
	return r
}

// churnRun is a hundred peers and so many events: joins, some kills, and chat.
func churnRun(events int) *Run {
	g := newGenerator(50, "churn", 100)
	all := g.run.Peers
	for i, name := range all {
		g.joined(time.Duration(100+i*12)*ms, name, all[:i])
		g.run.Lives = append(g.run.Lives, Life{Peer: name, From: 50 * ms, To: time.Minute})
	}
	alive := slices.Clone(all)
	for i := range 12 {
		at := 6*time.Second + time.Duration(i)*4*time.Second
		name := alive[g.rng.IntN(len(alive))]
		alive = without(alive, name)
		life := slices.IndexFunc(g.run.Lives, func(l Life) bool { return l.Peer == name })
		g.run.Lives[life].To, g.run.Lives[life].End = at, "kill"
		g.lost(at+1500*ms, name, alive)
		g.step(10+i, "churn", "lab kill "+name, at, 3*ms)
		g.step(30+i, "churn", fmt.Sprintf("expect all within 10s members alive = %d", len(alive)), at+5*ms, 2*time.Second)
	}
	for i := 0; len(g.run.Events) < events; i++ {
		at := 4*time.Second + time.Duration(i)*50*ms
		from := alive[g.rng.IntN(len(alive))]
		g.message(at, from, fmt.Sprintf("message number %d for everybody", i), without(alive, from), nil)
	}
	g.run.Events = g.run.Events[:events]
	g.run.Sections = []Section{{Title: "churn", Start: 5 * time.Second, Duration: 50 * time.Second}}
	return g.finish(time.Minute)
}
