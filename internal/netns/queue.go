package netns

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// flow is what happens to packets on their way from one peer to another. The zero value is nothing.
type flow struct {
	drop            bool
	latency, jitter time.Duration
	// loss, duplicate and reorder are probabilities, from 0 to 1.
	loss, duplicate, reorder float64
	bandwidth                float64 // bytes a second; 0 is without limit
}

// lane is the part of the packets that a filter catches. Those before it are tried first.
type lane int

// The lanes. A link has either everything or some of the others.
const (
	packets lane = iota
	streams
	rpc
	everything
	lanes
)

// place is where a flow is made: the queues of a link have one place for each peer and lane.
type place struct {
	to   int // index of the peer
	lane lane
}

// Classes of the queues: all that no filter catches, and all that is dropped. Those of places follow.
const (
	classFree  = 1
	classDrop  = 2
	firstPlace = 0x10
)

// Handles of the queues below classes are these plus the number of the class. A queue cannot become one
// of another kind under the same handle.
const (
	netemHandle = 0x2000
	plainHandle = 0x4000
)

// number is the class of a place, and the preference of its filters.
func (p place) number() int { return firstPlace + p.to*int(lanes) + int(p.lane) }

// unlimited is the rate of classes that do not limit: more than a veth pair carries. The quantum of htb
// means nothing among classes that never compete; without one the kernel complains.
const unlimited = "rate 100gbit quantum 60000"

// queues are the queues of a link without faults. A packet that is dropped is dropped silently: the
// sender's own stack must not learn of it, as it would not from a wire (blackhole, and not pfifo with limit 0).
func queues() []string {
	return []string{
		fmt.Sprintf("qdisc replace dev eth0 root handle 1: htb default %x", classFree),
		fmt.Sprintf("class replace dev eth0 parent 1: classid 1:%x htb %s", classFree, unlimited),
		fmt.Sprintf("class replace dev eth0 parent 1: classid 1:%x htb %s", classDrop, unlimited),
		fmt.Sprintf("qdisc replace dev eth0 parent 1:%x handle %x: blackhole", classDrop, plainHandle+classDrop),
	}
}

// byNumber orders places.
func byNumber(a, b place) int { return cmp.Compare(a.number(), b.number()) }

// change is what tc has to do to come from one set of flows to another. addr gives the address of a
// peer. Classes that are not used any more stay: what waits in them still arrives.
func change(was, want map[place]flow, addr func(int) netip.Addr) []string {
	var lines []string
	for _, p := range slices.SortedFunc(maps.Keys(want), byNumber) {
		old, there := was[p]
		f := want[p]
		if there && f == old {
			continue
		}
		class := classDrop
		if !f.drop {
			class = p.number()
			lines = append(lines, f.class(class)...)
		}
		if there && f.drop == old.drop {
			continue // its filters are right
		}
		if there {
			lines = append(lines, p.noFilters())
		}
		lines = append(lines, p.filters("eth0", "dst", addr(p.to), class)...)
	}
	for _, p := range slices.SortedFunc(maps.Keys(was), byNumber) {
		if _, there := want[p]; !there {
			lines = append(lines, p.noFilters())
		}
	}
	return lines
}

// class makes a class that does to packets what the flow says.
func (f flow) class(class int) []string {
	rate := unlimited
	if f.bandwidth > 0 {
		// htb counts in whole bytes a second, tc's word for which is bps.
		rate = fmt.Sprintf("rate %dbps quantum 60000", max(1, int64(f.bandwidth)))
	}
	handle, queue := plainHandle, fmt.Sprintf("pfifo limit %d", queueLimit)
	if f.needsNetem() {
		handle, queue = netemHandle, f.netem()
	}
	return []string{
		fmt.Sprintf("class replace dev eth0 parent 1: classid 1:%x htb %s", class, rate),
		fmt.Sprintf("qdisc replace dev eth0 parent 1:%x handle %x: %s", class, handle+class, queue),
	}
}

// queueLimit is how many packets wait in one place at most. It holds a second of 100 MB/s in full
// packets of 1500 bytes.
const queueLimit = 66_000

// netem is the queue that makes all but drops, copies and bandwidth.
func (f flow) netem() string {
	s := fmt.Sprintf("netem limit %d", queueLimit)
	overtake := f.reorder
	if f.reorder > 0 && f.latency == 0 && f.jitter == 0 {
		f.latency, overtake = heldBack, 1-f.reorder
	}
	if f.latency > 0 || f.jitter > 0 {
		s += fmt.Sprintf(" delay %dus %dus", f.latency.Microseconds(), f.jitter.Microseconds())
	}
	if f.loss > 0 {
		s += " loss random " + percent(f.loss)
	}
	// To netem, reorder is the share of the packets that do not wait; 0 is none of its values.
	if f.reorder > 0 && overtake > 0 {
		s += " reorder " + percent(overtake)
	}
	return s
}

// heldBack is how long a packet waits to let others overtake it, where there is no latency.
const heldBack = 10 * time.Millisecond

func (f flow) needsNetem() bool {
	f.drop, f.bandwidth = false, 0
	return f != flow{}
}

func percent(p float64) string { return strconv.FormatFloat(100*p, 'f', 6, 64) + "%" }

// filters lead the packets of a place to a class; end says of which end (dst, src) the address is. Gossip packets are UDP; of TCP, a packet belongs to a
// stream when one of its ports is the one that gossip listens on, whoever dialled.
func (p place) filters(dev, end string, addr netip.Addr, class int) []string {
	filter := func(match string) string {
		return fmt.Sprintf("filter add dev %s parent 1: protocol ip pref %d u32 match ip %s %s/32%s flowid 1:%x", dev, p.number(), end, addr, match, class)
	}
	const tcp, udp = " match ip protocol 6 0xff", " match ip protocol 17 0xff"
	switch p.lane {
	case packets:
		return []string{filter(udp)}
	case streams:
		return []string{
			filter(fmt.Sprintf("%s match ip dport %d 0xffff", tcp, GossipPort)),
			filter(fmt.Sprintf("%s match ip sport %d 0xffff", tcp, GossipPort)),
		}
	case rpc:
		return []string{filter(tcp)} // streams come first; see lane
	}
	return []string{filter("")}
}

func (p place) noFilters() string {
	return fmt.Sprintf("filter delete dev eth0 parent 1: pref %d", p.number())
}

// with is the flow with another fault on top.
func (f flow) with(g flow) flow {
	either := func(a, b float64) float64 { return a + b - a*b }
	f.drop = f.drop || g.drop
	f.latency, f.jitter = f.latency+g.latency, f.jitter+g.jitter
	f.loss, f.duplicate, f.reorder = either(f.loss, g.loss), either(f.duplicate, g.duplicate), either(f.reorder, g.reorder)
	if f.bandwidth == 0 || g.bandwidth > 0 && g.bandwidth < f.bandwidth {
		f.bandwidth = g.bandwidth
	}
	return f
}
