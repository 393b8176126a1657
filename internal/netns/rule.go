package netns

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"peerlab.example/peerlab/internal/network"
)

// Set puts a rule in force, or in the place of one with the same ID. It is the kernel that acts:
// established connections stay open, and TCP sees a loss as it does on a wire, and sends again. What is
// sent to or by the coordinator is never touched. Rules on one link add up as those of package network do;
// only the jitters of several latencies are one, as wide as all of them.
func (l *Lab) Set(ctx context.Context, r network.Rule) error {
	if err := l.abilities.Supports(r); err != nil {
		return err
	}
	links, err := l.links(r)
	if err != nil {
		return err
	}
	return l.add(ctx, faultOf(r, links), r.For)
}

func faultOf(r network.Rule, links map[[2]int]bool) *fault {
	f := &fault{id: r.ID, links: links, flow: flowOf(r)}
	for i, ch := range laneChannels {
		f.lanes[i] = len(r.Channels) == 0 || slices.Contains(r.Channels, ch)
	}
	return f
}

// laneChannels are the channels of the lanes.
var laneChannels = [everything]network.Channel{packets: network.Packets, streams: network.Streams, rpc: network.RPC}

// flowOf is what a rule does to packets.
func flowOf(r network.Rule) flow {
	switch r.Kind {
	case network.Partition:
		return flow{drop: true}
	case network.Latency:
		return flow{latency: r.Delay, jitter: r.Jitter}
	case network.Loss:
		return flow{loss: r.Percent / 100}
	case network.Duplicate:
		return flow{duplicate: r.Percent / 100}
	case network.Reorder:
		return flow{reorder: r.Percent / 100}
	case network.Bandwidth:
		return flow{bandwidth: float64(r.BytesPerSecond)}
	}
	return flow{} // not reached: rules are validated
}

// NeedsNetem reports whether a rule is one that Abilities.Netem is about.
func NeedsNetem(r network.Rule) bool { return flowOf(r).needsNetem() }

// Supports says what is wrong with a rule, or that this machine cannot make it. Names are looked at by Lab.Set.
func (a Abilities) Supports(r network.Rule) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if NeedsNetem(r) && a.Netem != nil {
		return fmt.Errorf("%s: %w", r.Kind, a.Netem)
	}
	return nil
}

// Heal lifts what all rules do between one of some peers and one of others, in both directions, or everything when
// neither is given.
func (l *Lab) Heal(ctx context.Context, some, others []string) error {
	if len(some) == 0 && len(others) == 0 {
		return l.heal(ctx, func(int, int) bool { return true })
	}
	links, err := l.links(network.Rule{Groups: [][]string{some, others}})
	if err != nil {
		return err
	}
	return l.heal(ctx, func(from, to int) bool { return links[[2]int{from, to}] })
}

// links are the links that a rule is for, by the places of their ends.
func (l *Lab) links(r network.Rule) (map[[2]int]bool, error) {
	group, err := l.groups(r.Groups)
	if err != nil {
		return nil, err
	}
	links := map[[2]int]bool{}
	for a := range l.order {
		for b := range l.order {
			from, to := group[a], group[b]
			crosses := from != to
			if r.OneWay {
				crosses = from == 0 && to == 1
			}
			if len(r.Groups) == 0 {
				crosses = true
			}
			if a != b && crosses && (len(r.Groups) == 0 || from >= 0 && to >= 0) {
				links[[2]int{a, b}] = true
			}
		}
	}
	for _, pair := range r.Except {
		a, b := l.peers[pair[0]], l.peers[pair[1]]
		if a == nil || b == nil {
			return nil, fmt.Errorf("there is no peer %q or %q", pair[0], pair[1])
		}
		delete(links, [2]int{a.index, b.index})
		delete(links, [2]int{b.index, a.index})
	}
	return links, nil
}

// groups are the groups of all places, -1 for those in none.
func (l *Lab) groups(groups [][]string) ([]int, error) {
	in := slices.Repeat([]int{-1}, len(l.order))
	others := -1
	var errs []error
	for i, g := range groups {
		for _, name := range g {
			switch p := l.peers[name]; {
			case name == network.Others:
				others = i
			case p == nil:
				errs = append(errs, fmt.Errorf("there is no peer %q", name))
			default:
				in[p.index] = i
			}
		}
	}
	for i, p := range l.order {
		if in[i] < 0 && p.name != network.Bootstrap {
			in[i] = others
		}
	}
	return in, errors.Join(errs...)
}
