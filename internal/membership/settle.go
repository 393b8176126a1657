package membership

import (
	"math/rand/v2"
	"slices"
	"time"

	"peerlab.example/peerlab/app"
)

const (
	// settleLeast is the least time between two looks of settle, for profiles whose gossip is faster than a full sync is cheap.
	settleLeast = 100 * time.Millisecond
	// settleQuiet is after how many looks in a row that found nobody new the group is taken to be at rest. A newcomer that knows one
	// member may be told nothing for several rounds of gossip while the others are.
	settleQuiet = 6
	// settleCrowd is within what time those start who are started together.
	settleCrowd = 2 * time.Second
	// settleMost bounds the looks. The time between them grows by a half with each that found somebody.
	settleMost = 12
)

// settle does some full syncs after Join: one when others have started at about the same time, and one each time that members are found
// whom it did not know before. When many join at once, those who come first are told of nobody, and packets have room for some six members each:
// in the lan profile it takes two seconds until gossip alone has brought 50 members to 50. The first sync is with a member that
// Join reached, to whom the others have come too, and those after it with any. Who joins a group at rest does none.
func (n *Node) settle(reached []string) {
	wait := max(n.Tuning().GossipInterval, settleLeast)
	known, quiet := n.digest.members(), 0
	if n.inCrowd() {
		known = 0
	}
	for range settleMost {
		if !n.sleep(n.ctx, wait/2+jitter(wait/2)) || !n.seeking.Load() {
			return
		}
		now := n.digest.members()
		if now <= known {
			if quiet++; quiet == settleQuiet {
				return
			}
			continue
		}
		known, quiet, wait = now, 0, wait+wait/2
		n.settleWith(reached)
		reached = nil
	}
}

// inCrowd reports whether another live member has started at about the same time, as far as clocks agree.
func (n *Node) inCrowd() bool {
	return slices.ContainsFunc(n.Members(), func(m app.Member) bool {
		return !m.Self && m.State == app.Alive && m.JoinedAt.Sub(n.cfg.JoinedAt).Abs() < settleCrowd
	})
}

// settleWith does a full sync with one of the members at the addresses, or with any when there are none.
func (n *Node) settleWith(reached []string) {
	if len(reached) == 0 {
		for _, m := range n.Members() {
			if !m.Self && m.State == app.Alive {
				reached = append(reached, m.Addr)
			}
		}
	}
	if len(reached) == 0 {
		return
	}
	n.repair.syncs.Add(1)
	if err := n.pushPull(reached[rand.IntN(len(reached))]); err != nil {
		n.log.Debug().Err(err).Msg("sync while many join")
	}
}
