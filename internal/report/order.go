package report

import (
	"cmp"
	"slices"
)

// InOrder are the events by the time on the axis. Those of one life are in the order in which their peer numbered them, and so an
// event that is dated before an earlier one gets the time of that. What has no number, since a coordinator noted it, has only a time.
func InOrder(events []Event) []Event {
	type life struct {
		node string
		n    int
	}
	out := slices.Clone(events)
	places := map[life][]int{}
	for i, e := range out {
		if e.GetSeq() > 0 {
			l := life{e.GetNode(), e.Life}
			places[l] = append(places[l], i)
		}
	}
	for _, at := range places {
		numbered(out, at)
	}
	slices.SortStableFunc(out, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	return out
}

// numbered puts the events of one life, which are at these places, into the order of their numbers, with times that do not fall.
func numbered(events []Event, places []int) {
	own := make([]Event, len(places))
	for i, at := range places {
		own[i] = events[at]
	}
	slices.SortStableFunc(own, func(a, b Event) int { return cmp.Compare(a.GetSeq(), b.GetSeq()) })
	for i, at := range places {
		if i > 0 {
			own[i].At = max(own[i].At, own[i-1].At)
		}
		events[at] = own[i]
	}
}
