package chat

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob", "carol")
	alice, bob := r.peers[0], r.peers[1]
	if got := alice.chat.Measure(); len(got) > 0 {
		t.Errorf("before the start: %v", got)
	}
	r.start()
	alice.mustSay("one")
	alice.mustSay("two")
	bob.hears("alice", "one", "two")
	labels := map[string]int{}
	for _, m := range alice.chat.Metrics() {
		labels[m.Name] = len(m.Labels)
	}
	got := map[string]float64{}
	for _, s := range bob.chat.Measure() {
		if labels[s.Name] != len(s.Labels) {
			t.Errorf("%v is not announced so", s)
		}
		got[s.Name+" "+s.Labels[0]] = s.Value
	}
	want := map[string]float64{"dropped_total ": 0}
	for name := range labels {
		want[name+" alice"], want[name+" carol"] = 0, 0
	}
	want["received_total alice"] = 2
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
