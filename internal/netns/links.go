package netns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"peerlab.example/peerlab/internal/network"
)

// Link is the way of packets from one peer to another, by name. What comes back is another link.
type Link struct{ From, To string }

// OneWay are the links from each of some peers to each of others. A peer has no link to itself.
func OneWay(from, to []string) []Link {
	var all []Link
	for _, a := range from {
		for _, b := range to {
			if a != b {
				all = append(all, Link{a, b})
			}
		}
	}
	return all
}

// Sides are the links between peers of different sides, in both directions.
func Sides(sides ...[]string) []Link {
	var all []Link
	for i, a := range sides {
		for j, b := range sides {
			if i != j {
				all = append(all, OneWay(a, b)...)
			}
		}
	}
	return all
}

// Fault is what shall happen to packets on some links. A newer fault takes the place of an older one of
// its kind (latency with jitter, loss, …) on the same link and channel; faults of different kinds add up.
type Fault struct {
	Links []Link
	// On are the channels; none is all. rpc is all TCP that is not gossip.
	On []network.Channel
	// For ends it after a time; 0 is until it is healed.
	For time.Duration

	// Drop loses everything, without a word to the sender: a partition.
	Drop bool
	// Latency is added to each packet, give or take Jitter (evenly spread).
	Latency, Jitter time.Duration
	// Loss, Duplicate and Reorder are probabilities for a packet, from 0 to 1. Without a latency, a packet that
	// is reordered is held back for 10 ms; with one, it overtakes those that wait.
	Loss, Duplicate, Reorder float64
	// Bandwidth is in bytes a second, headers included; 0 is without limit.
	Bandwidth float64
}

// Set puts a fault in force. Established connections stay open. It is the kernel that acts: TCP sees
// loss as it does on a wire, and sends again. The links to the coordinator and the bootstrap service have no faults.
func (l *Lab) Set(ctx context.Context, f Fault) error {
	if err := l.Supports(f); err != nil {
		return err
	}
	links, err := l.index(f.Links)
	if err != nil {
		return err
	}
	a := &fault{links: links, flow: flow{
		drop: f.Drop, latency: f.Latency, jitter: f.Jitter,
		loss: f.Loss, duplicate: f.Duplicate, reorder: f.Reorder, bandwidth: f.Bandwidth,
	}}
	channels := []network.Channel{packets: network.Packets, streams: network.Streams, rpc: network.RPC}
	for i, ch := range channels {
		a.lanes[i] = len(f.On) == 0 || slices.Contains(f.On, ch)
	}
	return l.add(ctx, a, f.For)
}

// Supports says what is wrong with a fault, or that this machine cannot make it, without the names of
// its links. Valid after Start.
func (l *Lab) Supports(f Fault) error {
	for name, p := range map[string]float64{"loss": f.Loss, "duplicate": f.Duplicate, "reorder": f.Reorder} {
		if !(p >= 0 && p <= 1) { // also not a number
			return fmt.Errorf("%s %v: a probability is from 0 to 1", name, p)
		}
	}
	if f.Latency < 0 || f.Jitter < 0 || f.For < 0 || f.Latency > maxDelay || f.Jitter > maxDelay {
		return fmt.Errorf("latency %s ± %s for %s: each is from 0 to %s", f.Latency, f.Jitter, f.For, maxDelay)
	}
	if !(f.Bandwidth >= 0 && f.Bandwidth <= maxRate) {
		return fmt.Errorf("bandwidth %v: from 0 to %v bytes a second", f.Bandwidth, maxRate)
	}
	for _, ch := range f.On {
		if ch != network.Packets && ch != network.Streams && ch != network.RPC {
			return fmt.Errorf("there is no channel %q", ch)
		}
	}
	if (f.Latency > 0 || f.Jitter > 0 || f.Loss > 0 || f.Duplicate > 0 || f.Reorder > 0) && l.abilities.Netem != nil {
		return l.abilities.Netem
	}
	return nil
}

// Limits of faults: netem counts in nanoseconds with 64 bits, tc reads microseconds with 32; htb's rate is
// beyond what a pair of links carries.
const (
	maxDelay = time.Hour
	maxRate  = 12.5e9
)

// Heal ends all faults on some links, or on all when none is named.
func (l *Lab) Heal(ctx context.Context, links ...Link) error {
	if len(links) == 0 {
		return l.heal(ctx, func(int, int) bool { return true })
	}
	some, err := l.index(links)
	if err != nil {
		return err
	}
	return l.heal(ctx, func(from, to int) bool { return some[[2]int{from, to}] })
}

// index are links by the places of their peers.
func (l *Lab) index(links []Link) (map[[2]int]bool, error) {
	all := map[[2]int]bool{}
	var errs []error
	for _, link := range links {
		from, to := l.peers[link.From], l.peers[link.To]
		switch {
		case from == nil:
			errs = append(errs, fmt.Errorf("there is no peer %q", link.From))
		case to == nil:
			errs = append(errs, fmt.Errorf("there is no peer %q", link.To))
		case from == to:
			errs = append(errs, fmt.Errorf("%s has no link to itself", link.From))
		default:
			all[[2]int{from.index, to.index}] = true
		}
	}
	return all, errors.Join(errs...)
}
