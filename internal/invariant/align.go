package invariant

import (
	"math"
	"slices"
	"time"
)

// Skew is how far apart two events of different peers may be, once they are aligned, although they happened at the same time. It is the
// difference between the least delays of two streams, which is below a millisecond between processes that are not all busy.
const Skew = 5 * time.Millisecond

// Aligned are the entries on one axis. Each comes with the time At which it arrived there. Streams delay events by different times, so
// those are replaced: by the peer's own monotonic clock, shifted so far that the event of its life that was delayed least is not moved. What
// remains wrong is that least delay, which is the same for all events of the life. Events that the coordinator noted itself have no such clock,
// and stay where they are.
func (l Log) Aligned() []Entry {
	type life struct {
		peer string
		n    int
	}
	shifts := map[life]time.Duration{}
	for _, e := range l.Entries {
		if mono := time.Duration(e.Event.GetMonoNs()); mono != 0 {
			of := life{e.Peer, e.Life}
			shift, known := shifts[of]
			if !known {
				shift = math.MaxInt64
			}
			shifts[of] = min(shift, e.At-mono)
		}
	}
	out := slices.Clone(l.Entries)
	for i, e := range out {
		if mono := time.Duration(e.Event.GetMonoNs()); mono != 0 {
			out[i].At = mono + shifts[life{e.Peer, e.Life}]
		}
	}
	return out
}
