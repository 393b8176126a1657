package network

import (
	"context"
	"net"
)

// System is the network of the operating system: UDP for packets, TCP for all else.
func System() Network { return system{} }

type system struct{}

func (system) ListenPacket(ctx context.Context, addr string) (net.PacketConn, error) {
	var c net.ListenConfig
	return c.ListenPacket(ctx, "udp", addr)
}

func (system) Listen(ctx context.Context, _ Channel, addr string) (net.Listener, error) {
	var c net.ListenConfig
	return c.Listen(ctx, "tcp", addr)
}

func (system) Dial(ctx context.Context, _ Channel, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}
