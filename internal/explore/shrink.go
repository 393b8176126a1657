package explore

import (
	"context"
	"slices"
)

// shrink makes a schedule that fails shorter, as long as it fails alike: first fewer faults, then those that are left shorter. Each try
// is a run. Of the result no fault can be left away. When ctx ends, it is the shortest so far.
func shrink(ctx context.Context, faults []Fault, fails func(context.Context, []Fault) bool) []Fault {
	for again := true; again; {
		again = false
		// From the end: what comes later is seldom what began it. Halves first, so that a long schedule takes few runs.
		for size := max(1, len(faults)/2); size >= 1; size /= 2 {
			for end := len(faults); end > 0; end -= size {
				fewer := slices.Concat(faults[:max(0, end-size)], faults[end:])
				if ctx.Err() == nil && fails(ctx, fewer) {
					faults, again = fewer, true
				}
				end = min(end, len(faults)+size)
			}
		}
	}
	for i := range faults {
		for faults[i].Length >= 2*shortest && ctx.Err() == nil {
			shorter := slices.Clone(faults)
			shorter[i].Length = (shorter[i].Length / 2).Truncate(shortest)
			if !fails(ctx, shorter) {
				break
			}
			faults = shorter
		}
	}
	return faults
}
