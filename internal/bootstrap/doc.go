// Package bootstrap is the bootstrap data service: whom a peer contacts first.
//
// # Vocabulary
//
// A group is one lab; it has a name, and one service serves many groups. Its roster is a
// short list of peers, oldest first, that a newcomer can contact, with a revision that grows
// by one with each change. An entry of a roster lives as long as its lease, which its
// peer renews; a peer that crashed drops out when its lease ends. When a peer of the roster is
// gone, the oldest live members offer themselves as candidates: a refill.
//
// # Parts
//
// The rules (Join, Leave, Refill, Renew, Reset, UpdateConfig, Expire) are pure functions
// from one roster to the next. A [Store] keeps rosters; changes that race are told apart by
// the revision of the store, so that several services may share one. [Service] is the
// gRPC server over a store, and [NewClient] the client with deadlines and retries.
//
// # Restarts
//
// A roster holds at most one entry of an address, always the newest: who listens there now is
// the only one who can, so that a peer which crashed and starts again at its address replaces its own
// old entry at once. A restart at another address takes a place of its own, and the lease ends the old entry.
// The roster does not police names: another peer of the same name may be alive, or may not, which
// membership knows and finds out by asking that peer. For this, its entry must stay.
//
// # Usage
//
//	svc := bootstrap.NewService(memory.New(0), bootstrap.Options{})
//	svc.Start()
//	defer svc.Close()
//	bootstrapv1.RegisterBootstrapServiceServer(grpcServer, svc)
//
//	client := bootstrap.NewClient(conn, bootstrap.ClientOptions{})
//	resp, err := client.Join(ctx, &bootstrapv1.JoinRequest{Peer: me})
package bootstrap
