// Package network is how bytes leave a peer and come to it. Nothing else in peerlab
// opens a socket: a peer is given one Network, and so the same code runs on real sockets
// (System), in tests and in the simulation (Memory), and with faults in between.
package network

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// Channel is what a connection is used for; fault rules can be narrowed to one.
type Channel string

// The channels of a peer.
const (
	// Packets are gossip datagrams.
	Packets Channel = "packets"
	// Streams are gossip streams: push/pull, reliable sends, fallback probes.
	Streams Channel = "streams"
	// RPC is gRPC.
	RPC Channel = "rpc"
)

// Network opens listeners and connections. Addresses are host:port; port 0 means any free one.
// Errors name the address.
type Network interface {
	// ListenPacket opens a socket for datagrams. WriteTo never blocks: what has no room is dropped.
	ListenPacket(ctx context.Context, addr string) (net.PacketConn, error)
	// Listen opens a listener for connections of one channel.
	Listen(ctx context.Context, ch Channel, addr string) (net.Listener, error)
	// Dial opens a connection; ctx bounds the dialling only.
	Dial(ctx context.Context, ch Channel, addr string) (net.Conn, error)
}

// Refused reports whether the error of a Dial says for certain that nobody listens there: the machine of that address has answered.
func Refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
