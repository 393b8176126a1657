package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// socketBuffer is what is asked of the kernel for a socket of packets, in bytes, as memberlist does:
// gossip comes in bursts, and the usual buffer holds only about a hundred packets.
const socketBuffer = 2 << 20

// System is the network of the operating system: UDP for packets, TCP for all else.
func System() Network { return system{} }

type system struct{}

// unackedMost is how long what was sent on a connection that was dialled may stay unacknowledged, or unsent since the other end reads nothing, before
// it is given up, where the system can be told so (RFC 5482; TCP_USER_TIMEOUT of Linux, see tcp(7)). Otherwise it would go on for a quarter of an
// hour. It is longer than the longest answer that the gossip profile wan waits for. Where gRPC accepts, it sets 20 s by itself.
const unackedMost = 10 * time.Second

func (system) ListenPacket(ctx context.Context, addr string) (net.PacketConn, error) {
	var c net.ListenConfig
	pc, err := c.ListenPacket(ctx, "udp", addr)
	if u, ok := pc.(*net.UDPConn); ok {
		// The kernel may give less; that costs packets in bursts, and nothing else.
		_ = u.SetReadBuffer(socketBuffer)
		_ = u.SetWriteBuffer(socketBuffer)
	}
	return pc, used(addr, err)
}

func (system) Listen(ctx context.Context, _ Channel, addr string) (net.Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", addr)
	return l, used(addr, err)
}

// used is the error of binding addr, which is a puzzle when nobody asked for the port that is in use.
func used(addr string, err error) error {
	if _, port, _ := net.SplitHostPort(addr); port == "0" && errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: no port is left of those that the system may choose from", err)
	}
	return err
}

func (system) Dial(ctx context.Context, _ Channel, addr string) (net.Conn, error) {
	d := net.Dialer{Control: giveUpUnacked}
	return d.DialContext(ctx, "tcp", addr)
}
