// Package netns runs peers in network namespaces of Linux: each has an own stack with an own address,
// and the faults between them are made by the kernel (tc: htb, u32, netem) and not by the rules of
// package network. It is what proves that those rules behave like a real network.
//
// A Lab is one namespace with a bridge, the hub, and one namespace for each peer with a link (veth) to
// that bridge. No link, address, route or rule is added to the namespace of the machine, so nothing can
// collide with it, and nothing of it can be broken:
//
//	hub:    br0 10.213.0.1 ─┬─ p1 ──── eth0 10.213.0.2  :bootstrap
//	                        ├─ p2 ──── eth0 10.213.0.3  :alice
//	                        └─ p3 ──── eth0 10.213.0.4  :bob
//
// The coordinator and the bootstrap service stay in the coordinator's process, but their sockets are
// opened in the hub (HubNetwork) and in a namespace like that of a peer (Network): a socket stays in the
// namespace in which it was opened.
//
//	lab, err := netns.New(netns.Config{Peers: []string{"alice", "bob"}, Log: log})
//	…
//	defer lab.Close()
//	err = lab.Start(ctx)
//	…
//	cmd, err := lab.Command("alice", exec.Command("peerlab", "peer", …))
//	…
//	err = lab.Set(ctx, network.Rule{Kind: network.Partition, Groups: [][]string{{"alice"}, {"bob"}}})
//
// The work is done by the commands ip and tc of iproute2, not by a netlink library: a user can repeat
// and look at each step by hand, their errors name what the kernel refused, and the binary gets no
// dependency that most of its users never need.
package netns
