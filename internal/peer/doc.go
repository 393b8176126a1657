// Package peer is one running peer: it wires membership, the roster of the bootstrap service,
// the applications and the gRPC server together, and offers all of it as commands.
//
// A Peer serves gRPC from Start to Close. In between it joins and leaves its group, step by
// step or all at once:
//
//	configure  the gossip profile is chosen
//	create     membership listens: the gossip address is known
//	bootstrap  the roster tells whom to contact, and perhaps holds this peer
//	start      membership runs
//	join       the members of the roster are joined
//	app start  the application is announced in gossip, and starts
//
// Init does all that are still to be done; Leave runs backwards. Each of them is also a command.
package peer
