package testcoord

import (
	"testing"
	"time"
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
		if got := m.Quantile(part); got != want*time.Second {
			t.Errorf("%v: %s", part, got)
		}
	}
}
