package invariant

import (
	"testing"
	"time"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

func TestAligned(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	event := func(life int, arrived, mono time.Duration) Entry {
		return Entry{Peer: "alice", Life: life, At: arrived, Event: &eventv1.Event{MonoNs: int64(mono)}}
	}
	log := Log{Entries: []Entry{
		// The first two were delayed by a burst, the third by least.
		event(0, 900*ms, 100*ms), event(0, 900*ms, 300*ms), event(0, 901*ms, 400*ms), event(0, 1100*ms, 590*ms),
		event(0, 1150*ms, 0), // noted by the coordinator
		event(1, 2000*ms, 10*ms), event(1, 2050*ms, 40*ms),
	}}
	for i, want := range []time.Duration{601 * ms, 801 * ms, 901 * ms, 1091 * ms, 1150 * ms, 2000 * ms, 2030 * ms} {
		if got := log.Aligned()[i].At; got != want {
			t.Errorf("event %d is at %s, want %s", i, got, want)
		}
	}
	if log.Entries[0].At != 900*ms {
		t.Error("the log itself was changed")
	}
}
