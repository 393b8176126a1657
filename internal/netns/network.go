package netns

import (
	"context"
	"net"

	"peerlab.example/peerlab/internal/network"
)

// HubNetwork opens real sockets in the hub, where no fault reaches. Valid after Start; addresses must be
// literal IP addresses.
func (l *Lab) HubNetwork() network.Network { return insideNetwork{l.hub, network.System()} }

// Network opens real sockets of this process in the namespace of a peer, or of the bootstrap service, as HubNetwork does.
func (l *Lab) Network(name string) network.Network {
	return insideNetwork{l.Namespace(name), network.System()}
}

// insideNetwork is the network of the system, seen from a namespace.
type insideNetwork struct {
	ns     string
	system network.Network
}

func (h insideNetwork) ListenPacket(ctx context.Context, addr string) (pc net.PacketConn, err error) {
	err = inside(h.ns, func() error {
		pc, err = h.system.ListenPacket(ctx, addr)
		return err
	})
	return pc, err
}

func (h insideNetwork) Listen(ctx context.Context, ch network.Channel, addr string) (ln net.Listener, err error) {
	err = inside(h.ns, func() error {
		ln, err = h.system.Listen(ctx, ch, addr)
		return err
	})
	return ln, err
}

func (h insideNetwork) Dial(ctx context.Context, ch network.Channel, addr string) (conn net.Conn, err error) {
	err = inside(h.ns, func() error {
		conn, err = h.system.Dial(ctx, ch, addr)
		return err
	})
	return conn, err
}
