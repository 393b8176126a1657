package netns

import (
	"context"
	"net"

	"peerlab.example/peerlab/internal/network"
)

// Network opens real sockets in the hub, so that the peers reach them at HubAddr and they reach the
// peers. Addresses must be literal IP addresses. It is valid after Start.
func (l *Lab) Network() network.Network { return hubNetwork{l.hub, network.System()} }

// hubNetwork is the network of the system, seen from a namespace.
type hubNetwork struct {
	ns     string
	system network.Network
}

func (h hubNetwork) ListenPacket(ctx context.Context, addr string) (pc net.PacketConn, err error) {
	err = inside(h.ns, func() error {
		pc, err = h.system.ListenPacket(ctx, addr)
		return err
	})
	return pc, err
}

func (h hubNetwork) Listen(ctx context.Context, ch network.Channel, addr string) (ln net.Listener, err error) {
	err = inside(h.ns, func() error {
		ln, err = h.system.Listen(ctx, ch, addr)
		return err
	})
	return ln, err
}

func (h hubNetwork) Dial(ctx context.Context, ch network.Channel, addr string) (conn net.Conn, err error) {
	err = inside(h.ns, func() error {
		conn, err = h.system.Dial(ctx, ch, addr)
		return err
	})
	return conn, err
}
