// Package predict computes what is to be expected of a group of peers: how fast news spreads, when a crash is noticed, and what
// this costs. It is arithmetic on the timings of membership, and measures nothing; where theory and a measured lab differ, the lab is right.
package predict

import (
	"fmt"
	"math"
	"time"

	"peerlab.example/peerlab/internal/membership"
)

// Lab is what is to be predicted.
type Lab struct {
	// Peers is how many there are, at least 1.
	Peers  int
	Tuning membership.Tuning
	// Loss is the share of packets that are lost, from 0 to below 1. Streams lose nothing.
	Loss float64
}

// Figures are what is to be expected.
type Figures struct {
	Peers int
	// Known is the expected number of peers that know a message after each round of gossip; the first is 1, before any.
	Known []float64
	// Half, Most and All are when half of the peers, 99 of 100, and all are expected to know it. Zero means not by gossip alone: the rest learns of it in a full sync.
	Half, Most, All time.Duration
	// Suspected is the mean time from a crash until somebody suspects, SuspicionMin and SuspicionMax are how long a suspect has at least
	// and at most, and Lost is the mean time until the first declares it lost. LostByAll adds the spreading of that.
	Suspected, SuspicionMin, SuspicionMax, Lost, LostByAll time.Duration
	// FalseSuspicion is the probability that one probe of a live peer ends in a suspicion, if memberlist did not try a stream as well.
	FalseSuspicion float64
	// Packets are how many a peer sends in a second when nothing happens, and States how many entries of members it sends in full syncs.
	Packets, States float64
}

// Of computes the figures. The error says what is wrong with the lab.
func Of(l Lab) (Figures, error) {
	switch {
	case l.Peers < 1 || l.Peers > 100_000:
		return Figures{}, fmt.Errorf("%d peers: must be 1 to 100000", l.Peers)
	case l.Loss < 0 || l.Loss >= 1 || math.IsNaN(l.Loss):
		return Figures{}, fmt.Errorf("a loss of %g: must be 0 or more, and below 1", l.Loss)
	}
	if err := l.Tuning.Validate(); err != nil {
		return Figures{}, err
	}
	f := Figures{Peers: l.Peers, Known: l.known(), FalseSuspicion: l.falseSuspicion()}
	n := float64(l.Peers)
	f.Half, f.Most, f.All = l.when(f.Known, n/2), l.when(f.Known, min(0.99*n, n-0.5)), l.when(f.Known, n-0.5)
	f.SuspicionMin, f.SuspicionMax = l.suspicion()
	f.Suspected, f.Lost = l.suspected(), l.lost()
	if f.LostByAll = f.Lost + f.All; f.All == 0 && l.Peers > 1 {
		f.LostByAll = f.Lost + l.pushPull()
	}
	f.Packets, f.States = l.packets(), l.states()
	return f, nil
}

// known is the spreading of one message. In each round, a peer that knows it sends it to GossipNodes others, chosen at random, until it has sent
// it RetransmitMult·⌈log10(n+1)⌉ times (memberlist's retransmitLimit). Of n-i peers that do not know it, each is missed by one of s packets with
// probability 1-1/(n-1), so
//
//	i' = i + (n-i)·(1-(1-1/(n-1))^(s·(1-loss)))
//
// which is the recurrence of the push epidemic (Demers et al. 1987; the convergence simulator of serf draws the same), with the senders of
// the last rounds only.
func (l Lab) known() []float64 {
	n := float64(l.Peers)
	known := []float64{1}
	if l.Peers == 1 {
		return known
	}
	fresh := []float64{1} // who learned of it in each round
	fanout := math.Min(float64(l.Tuning.GossipNodes), n-1)
	rounds := int(math.Ceil(l.retransmits() / fanout))
	for range 10 * (rounds + 10) {
		var senders float64
		for _, f := range fresh[max(0, len(fresh)-rounds):] {
			senders += f
		}
		now := known[len(known)-1]
		learn := (n - now) * (1 - math.Pow(1-1/(n-1), senders*fanout*(1-l.Loss)))
		fresh, known = append(fresh, learn), append(known, now+learn)
		if n-now-learn < 0.01 || senders*fanout < 0.01 {
			break
		}
	}
	return known
}

// retransmits is how often a peer sends a message.
func (l Lab) retransmits() float64 {
	return float64(l.Tuning.RetransmitMult) * math.Ceil(math.Log10(float64(l.Peers)+1))
}

// when is the time at which so many know. The first round begins half an interval after the message, in the mean.
func (l Lab) when(known []float64, want float64) time.Duration {
	for round, n := range known {
		if n >= want {
			if round == 0 {
				return 0
			}
			return time.Duration((float64(round) - 0.5) * float64(l.Tuning.GossipInterval))
		}
	}
	return 0
}

// suspected is the mean time until somebody suspects a peer that has crashed. Each of n-1 others probes it once in n-1 intervals, and their rounds are not
// synchronised; so the probes that it gets come as a Poisson process with one in each ProbeInterval, and the next is that long away in the mean
// (SWIM has e/(e-1) = 1.58 intervals, for rounds that begin at the same time; Das, Gupta and Motivala 2002, section 3.1). A probe fails when its
// interval is over.
func (l Lab) suspected() time.Duration {
	if l.Peers == 1 {
		return 0
	}
	return 2 * l.Tuning.ProbeInterval
}

// suspicion is how long a suspect has: SuspicionMult·max(1, log10 n)·ProbeInterval at least, and SuspicionMaxMult times that without
// confirmations (memberlist's suspicionTimeout).
func (l Lab) suspicion() (least, most time.Duration) {
	scale := math.Max(1, math.Log10(float64(l.Peers)))
	least = time.Duration(float64(l.Tuning.SuspicionMult) * scale * float64(l.Tuning.ProbeInterval))
	if l.confirmations() < 1 {
		return least, least
	}
	return least, time.Duration(l.Tuning.SuspicionMaxMult) * least
}

// confirmations are how many independent ones shorten a suspicion to its least: SuspicionMult-2, where there are so many others.
func (l Lab) confirmations() int {
	k := l.Tuning.SuspicionMult - 2
	if l.Peers-2 < k {
		return 0
	}
	return k
}

// lost is the mean time until somebody declares a crashed peer lost. After c of k confirmations a suspicion lasts
//
//	max(least, most - (most-least)·log(c+1)/log(k+1))
//
// (Lifeguard's dynamic suspicion timeout, Dadgar, Phillips and Currey 2017, section IV.B), and one more comes with each probe that fails: one in each
// ProbeInterval, as above.
func (l Lab) lost() time.Duration {
	least, most := l.suspicion()
	if l.Peers == 1 {
		return 0
	}
	timeout := least
	if k := float64(l.confirmations()); k >= 1 {
		interval := float64(l.Tuning.ProbeInterval)
		at := func(t float64) float64 { // how long it lasts, as it is at t
			c := math.Min(t/interval, k)
			return math.Max(float64(least), float64(most)-float64(most-least)*math.Log(c+1)/math.Log(k+1))
		}
		low, high := float64(least), float64(most)
		for range 60 {
			if mid := (low + high) / 2; at(mid) > mid {
				low = mid
			} else {
				high = mid
			}
		}
		timeout = time.Duration(high)
	}
	return l.suspected() + timeout
}

// falseSuspicion is the probability that a live peer does not answer a probe, neither itself, there and back, nor through one of
// IndirectChecks others, with four packets each: (1-(1-p)²)·(1-(1-p)⁴)^k, as in section 4.1 of SWIM.
func (l Lab) falseSuspicion() float64 {
	if l.Peers == 1 {
		return 0 // nobody is probed
	}
	k := min(l.Tuning.IndirectChecks, max(l.Peers-2, 0))
	here := 1 - l.Loss
	return (1 - math.Pow(here, 2)) * math.Pow(1-math.Pow(here, 4), float64(k))
}

// packets are those of probes alone: a ping in each interval, and an ack for each that comes, of which there is one, too. With losses, the indirect
// ones come on top.
func (l Lab) packets() float64 {
	if l.Peers == 1 {
		return 0
	}
	perProbe := 2.0
	if l.Peers > 2 {
		k := float64(min(l.Tuning.IndirectChecks, l.Peers-2))
		direct := math.Pow(1-l.Loss, 2)
		perProbe = 1 + (1 - l.Loss) + (1-direct)*k*(1+3*(1-l.Loss))
	}
	return perProbe / l.Tuning.ProbeInterval.Seconds()
}

// pushPull is the time between two full syncs that a peer begins. Above 32 peers it grows with each doubling (memberlist's pushPullScale).
func (l Lab) pushPull() time.Duration {
	const threshold = 32
	if l.Peers <= threshold {
		return l.Tuning.PushPullInterval
	}
	return time.Duration(math.Ceil(math.Log2(float64(l.Peers))-math.Log2(threshold))+1) * l.Tuning.PushPullInterval
}

// states are the entries of members that a peer sends in full syncs: all of them, to whom it calls and to who calls it.
func (l Lab) states() float64 {
	if l.Peers == 1 {
		return 0
	}
	return 2 * float64(l.Peers) / l.pushPull().Seconds()
}
