package explore

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestShrink hides a few faults that are needed together among others, and checks that exactly they are left, as short as they can be.
func TestShrink(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "faults")
		var faults []Fault
		needed := map[int]time.Duration{} // by Place, how long it must be
		for i := range n {
			length := shortest * time.Duration(rapid.IntRange(1, 30).Draw(t, "length"))
			faults = append(faults, Fault{Place: i, Kind: Loss, Length: length})
			if rapid.Bool().Draw(t, "needed") {
				needed[i] = shortest * time.Duration(rapid.IntRange(1, int(length/shortest)).Draw(t, "at least"))
			}
		}
		fails := func(_ context.Context, faults []Fault) bool {
			met := 0
			for _, f := range faults {
				if least, ok := needed[f.Place]; ok && f.Length >= least {
					met++
				}
			}
			return met == len(needed)
		}
		got := shrink(t.Context(), faults, fails)
		if len(got) != len(needed) {
			t.Fatalf("%d faults are left of %d, %d are needed", len(got), n, len(needed))
		}
		for _, f := range got {
			if f.Length >= 2*needed[f.Place]+shortest {
				t.Errorf("a length of %s is left, %s is needed", f.Length, needed[f.Place])
			}
		}
	})
}

// TestShrinkEnds checks that what is cut short fails still.
func TestShrinkEnds(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	faults := []Fault{{Place: 0}, {Place: 1}, {Place: 2}}
	got := shrink(ctx, faults, func(_ context.Context, faults []Fault) bool {
		stop()
		return len(faults) >= 2
	})
	if len(got) < 2 {
		t.Errorf("%d faults do not fail", len(got))
	}
}
