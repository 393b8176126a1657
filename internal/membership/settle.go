package membership

import (
	"math/rand/v2"
	"time"

	"peerlab.example/peerlab/app"
)

const (
	// settleLeast is the least time between two looks of settle, for profiles whose gossip is faster than a full sync is cheap.
	settleLeast = 100 * time.Millisecond
	// settleQuiet is after how many looks in a row that found nobody new the group is taken to be at rest. A newcomer that knows one
	// member may be told nothing for several rounds of gossip while the others are.
	settleQuiet = 6
	// settleMost bounds the looks. The time between them grows by a half with each that found somebody.
	settleMost = 12
)

// settle does some full syncs after Join, while members are found that Join did not know. When many join at once,
// those who come first are told of nobody, and packets have room for some six members each: in the lan profile it takes two seconds until
// gossip has brought 50 members to 50. The first sync is with a member that Join reached, to whom the others have come too, and those
// after it with any. Who joins a group at rest does none.
func (n *Node) settle(reached []string) {
	wait := max(n.Tuning().GossipInterval, settleLeast)
	known, quiet := n.digest.members(), 0
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
