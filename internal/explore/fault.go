package explore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/command"
)

// Fault is one that strikes between two lines of a suite, and is over after Length.
type Fault struct {
	// Place is which of the places of the Target it is put at.
	Place int
	// Kind is one of the kinds below.
	Kind Kind
	// Some are the peers that it strikes; for a partition, those of one side.
	Some []string
	// Rest are, for a partition, those of the other side.
	Rest []string
	// Part is the part of packets that a loss takes.
	Part int // per cent
	// Length is how long it lasts.
	Length time.Duration
}

// Kind is what a fault does.
type Kind string

// The kinds of faults.
const (
	Partition Kind = "partition"
	OneWay    Kind = "one-way partition"
	Loss      Kind = "loss"
	Latency   Kind = "latency"
	Freeze    Kind = "freeze"
	Kill      Kind = "kill"
)

// Lines are the fault in the lab language. The faults of the network go on while the suite does; a peer that is frozen or killed is
// back before the next line, since a suite does not expect that a peer which it speaks to is not there.
func (f Fault) Lines() []string {
	length := command.Duration(f.Length)
	some, rest := strings.Join(f.Some, " "), strings.Join(f.Rest, " ")
	switch f.Kind {
	case Partition:
		return []string{fmt.Sprintf("lab partition %s | %s for %s", some, rest, length)}
	case OneWay:
		return []string{fmt.Sprintf("lab partition %s -> %s for %s", some, rest, length)}
	case Loss:
		return []string{fmt.Sprintf("lab loss %d%% for %s", f.Part, length)}
	case Latency:
		return []string{fmt.Sprintf("lab latency %s±%s for %s", command.Duration(f.Length/20), command.Duration(f.Length/40), length)}
	case Freeze:
		return []string{"lab freeze " + some, "lab sleep " + length, "lab thaw " + some}
	default:
		return []string{"lab kill " + some, "lab sleep " + length, "lab restart " + some, "? " + some + " init"}
	}
}

// maxFaults is how many faults a schedule has at most. More of them mend each other as often as they break anything.
const maxFaults = 6

// shortest is the length of the shortest fault, and the step in which lengths are drawn.
const shortest = 100 * time.Millisecond

// Draw makes a schedule of faults that are not longer than longest. The same seed makes the same schedule for the same target. It is
// empty where the target permits no fault.
func Draw(seed uint64, target *Target, longest time.Duration) []Fault {
	rng := rand.New(rand.NewPCG(seed, 0x6661756c74)) // "fault": apart from all else that the seed makes
	var faults []Fault
	for range 1 + rng.IntN(maxFaults) {
		if f, ok := draw(rng, target, longest); ok {
			faults = append(faults, f)
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return a.Place - b.Place })
	return faults
}

// longestNames is how many bytes of names are in one line, which has room for 8,192.
const longestNames = 7000

// fitting are the first of the names that fit into a line, and at least two. The other peers are on no side of a partition, and reach all.
func fitting(names []string) []string {
	room := longestNames
	for i, name := range names {
		if room -= len(name) + 1; room < 0 && i >= 2 {
			return names[:i]
		}
	}
	return names
}

// draw makes one fault, if what the dice say is possible.
func draw(rng *rand.Rand, target *Target, longest time.Duration) (Fault, bool) {
	if len(target.Places) == 0 || len(target.Peers) == 0 {
		return Fault{}, false
	}
	kinds := []Kind{Partition, OneWay, Loss, Latency, Freeze, Kill}
	f := Fault{
		Place:  rng.IntN(len(target.Places)),
		Kind:   kinds[rng.IntN(len(kinds))],
		Length: shortest * time.Duration(1+rng.IntN(max(1, int(longest/shortest)))),
	}
	peers := slices.Clone(target.Peers)
	rng.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	switch f.Kind {
	case Partition, OneWay:
		if len(peers) < 2 {
			return f, false
		}
		peers = fitting(peers)
		cut := 1 + rng.IntN(len(peers)-1)
		f.Some, f.Rest = peers[:cut], peers[cut:]
		slices.SortFunc(f.Some, target.order)
		slices.SortFunc(f.Rest, target.order)
	case Loss:
		f.Part = 5 * (1 + rng.IntN(12)) // 5 to 60 %
	case Freeze, Kill:
		peers = slices.DeleteFunc(peers, func(name string) bool { return !target.mayEnd(name, f.Place, f.Kind) })
		if len(peers) == 0 {
			return f, false
		}
		f.Some = peers[:1]
	}
	return f, true
}
