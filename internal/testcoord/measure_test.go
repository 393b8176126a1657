package testcoord

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob
measure talk from joined to message
measure late from shown text=begin to shown text=end by bob
measure never from left to lost
all init
lab sleep 2s
alice msg one
expect bob event message
bob shout begin
lab sleep 1s
bob shout end
expect bob event shown text=end
expect measure talk max > 1s
expect measure talk p95 < 3s
expect measure late p50 = 1s
expect measure late max < 500ms
expect measure never min > 1s
`, Options{KeepGoing: true}, nil)
	if err != nil || r.Failed != 2 || len(r.Measures) != 3 {
		t.Fatalf("%v %+v\n%s", err, r, l.out.String())
	}
	if got := r.Measures[1].Samples; len(got) != 1 || got[0].To-got[0].From != time.Second || got[0].Peer != "bob" {
		t.Errorf("%+v", got)
	}
	wantOutput(t, l, "max is 1s", "seen    late  p50 1s  p95 1s  max 1s  of 1", "nothing was measured so far", "measure talk  p50 2s", "measure never  nothing was measured")
}

// TestMeasureAcrossPeers has events that arrive later than what came of them, since the stream of one peer was slow.
func TestMeasureAcrossPeers(t *testing.T) {
	t.Parallel()
	suite, err := Parse("x.lab", []byte("peers alice bob\nmeasure delivery from sent to message by bob\nalice noop\n"), fakeTable(nil))
	if err != nil {
		t.Fatal(err)
	}
	const ms = time.Millisecond
	start := time.Now()
	event := func(arrived, mono time.Duration, e *eventv1.Event) entry {
		e.MonoNs = int64(mono)
		return entry{Event: e, at: start.Add(arrived)}
	}
	sent := func(arrived, mono time.Duration) entry {
		return event(arrived, mono, &eventv1.Event{What: &eventv1.Event_Sent{Sent: &eventv1.Message{}}})
	}
	message := func(arrived, mono time.Duration) entry {
		return event(arrived, mono, &eventv1.Event{What: &eventv1.Event_Message{Message: &eventv1.Message{}}})
	}
	c := &Coordinator{suite: suite, start: start, peers: map[string]*peer{
		"alice": {name: "alice", log: []entry{sent(1040*ms, 1000*ms), sent(2001*ms, 2000*ms), sent(3001*ms, 3000*ms)}},
		"bob":   {name: "bob", log: []entry{message(1021*ms, 520*ms), message(2003*ms, 1502*ms), message(3000*ms, 2499*ms)}},
	}}
	got := c.measured(suite.Measures[0], c.aligned()).Samples
	want := []Sample{
		{Peer: "bob", From: 1001 * ms, To: 1021 * ms},
		{Peer: "bob", From: 2001 * ms, To: 2003 * ms},
		{Peer: "bob", From: 3000 * ms, To: 3000 * ms}, // the clocks are not quite aligned
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestPairs has events that follow at once on the end of a duration.
func TestPairs(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tt := range []struct {
		name         string
		begins, ends []time.Duration
		skew         time.Duration
		want         []time.Duration // each from and to
	}{
		{"at the same time", []time.Duration{0, 3 * ms, 5 * ms}, []time.Duration{3 * ms, 5 * ms, 9 * ms}, 0, []time.Duration{0, 3 * ms, 3 * ms, 5 * ms, 5 * ms, 9 * ms}},
		{"too early", []time.Duration{0, 2 * ms, 20 * ms}, []time.Duration{3 * ms, 9 * ms, 21 * ms}, 5 * ms, []time.Duration{0, 3 * ms, 2 * ms, 9 * ms, 20 * ms, 21 * ms}},
		{"one at a time", []time.Duration{0, 2 * ms, 20 * ms}, []time.Duration{3 * ms, 9 * ms, 21 * ms}, 0, []time.Duration{0, 3 * ms, 20 * ms, 21 * ms}},
	} {
		var got []time.Duration
		for _, s := range pairs("bob", tt.begins, tt.ends, tt.skew) {
			got = append(got, s.From, s.To)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	m := MeasureRecord{}
	if m.Quantile(0.5) != 0 {
		t.Error("of nothing")
	}
	for n := range 20 {
		m.Samples = append(m.Samples, Sample{To: time.Duration(n+1) * time.Second})
	}
	for part, want := range map[float64]time.Duration{0: 1, 0.5: 10, 0.95: 19, 0.99: 20, 1: 20} {
		if got := time.Duration(m.Quantile(part)); got != want*time.Second {
			t.Errorf("%v: %s", part, got)
		}
	}
}

// TestRate takes how fast a number grows, at two peers of which one hears more than the other.
func TestRate(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol
param window = 2s
all init
expect all within 5s metric members = 3
parallel
  measure heard rate heard_total{from=carol} for $window by alice,bob
  branch
    lab sleep 500ms
    carol msg one
    carol msg two
    carol msg three
  end
end
expect measure heard p50 = 1.5
expect measure heard max <= 1
measure quiet rate heard_total for 1s
expect measure quiet max = 0
`, Options{KeepGoing: true}, nil)
	if err != nil || r.Failed != 1 || len(r.Measures) != 2 {
		t.Fatalf("%v %+v\n%s", err, r, l.out.String())
	}
	got := r.Measures[0]
	if !got.Rate || len(got.Samples) != 2 || got.Samples[1].Peer != "bob" || got.Samples[1].PerSecond != 1.5 {
		t.Errorf("%+v", got)
	}
	wantOutput(t, l, "max is 1.5/s", "seen    heard  p50 1.5/s  p95 1.5/s  max 1.5/s  of 2", "event   alice  1.5/s, from +", "measure quiet  p50 0/s")
}
