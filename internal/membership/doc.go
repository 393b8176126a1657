// Package membership says who is in the group. It runs memberlist (SWIM with Lifeguard: gossip,
// probes, suspicion) behind types of our own, and adds what memberlist lacks: who left and
// who was lost, suspicion as an event, a view that is safe to keep, a cure for the tail of
// convergence, healing after a split, and keys and values that all members replicate.
//
//	cfg := membership.DefaultConfig()
//	cfg.ID, cfg.Name = uuid.NewString(), "alice"
//	n, err := membership.New(cfg, network.System(), log)
//	err = n.Listen(ctx)          // n.Addr() is known now
//	err = n.Start(ctx)
//	joined, err := n.Join(ctx, []string{"127.0.0.1:7946"})
//	err = n.SetMeta(ctx, "127.0.0.1:7000", []string{"chat"})
//	err = n.Set("notes", "colour", []byte("blue"))
//	err = n.Leave(ctx)           // say goodbye; without it, the others see a loss
//	err = n.Close()
//
// How the parts work together: memberlist calls the delegate, and what it sends passes the
// transport, where observe.go reads it; both only copy and put notes into a queue. One
// goroutine takes the notes in order, keeps the view and calls OnEvent, OnBroadcast and OnData.
//
// How suspicion is seen: memberlist tells nobody that it suspects a member. But each change
// of state that it accepts (alive, suspect, dead) it gossips on, within one gossip interval;
// so what a node sends itself says what its memberlist believes, with the incarnation
// that orders it, and, in "dead", who said so: a member that left, or another one.
// Refutations are also read from what comes in.
//
// How convergence loses its tail: each answer to a probe carries a digest of the members that
// the answering node takes for alive. When answers keep differing from the node's own, it
// does a full sync with one that differs (repair.go). Without that, of 20 mass joins of 50
// members, 3 with the lan profile and all 20 with local took longer than 10 s; with it, of
// 100 each, none (TestMassJoinTail).
//
// How data are replicated: each key is a register in which the last writer wins, by the stamp of a hybrid
// logical clock (clock.go, data.go), so that members which have merged the same entries, in any order, hold the
// same. An entry is gossiped like a broadcast, but a newer version takes the place of an older one that still waits. A
// full sync carries all entries and deletions: so a late joiner gets them, and the two sides of a split. The digest in an
// answer to a probe covers them too, as of a moment ago, so that a missed entry is found within a few probes, and entries
// that are on their way are not taken for missed. What is bounded: the length of keys and values, their number
// and their sum, the deletions that are remembered, and how far ahead a stamp may be.
package membership
