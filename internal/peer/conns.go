package peer

import (
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"

	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
)

// conns are the connections to other members, one per address, shared by all applications.
type conns struct {
	network  network.Network
	security *node.Security

	mu     sync.Mutex
	byAddr map[string]*grpc.ClientConn // guarded by mu; nil after Close
}

func newConns(n network.Network, s *node.Security) *conns {
	return &conns{network: n, security: s, byAddr: make(map[string]*grpc.ClientConn)}
}

func (c *conns) dial(addr string) (grpc.ClientConnInterface, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byAddr == nil {
		return nil, errors.New("the peer is closed")
	}
	if conn := c.byAddr[addr]; conn != nil {
		return conn, nil
	}
	conn, err := node.DialMember(c.network, c.security, addr)
	if err != nil {
		return nil, err
	}
	c.byAddr[addr] = conn
	return conn, nil
}

// forget closes the connection to a member that is gone.
func (c *conns) forget(addr string) {
	c.mu.Lock()
	conn := c.byAddr[addr]
	delete(c.byAddr, addr)
	c.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

func (c *conns) Close() error {
	c.mu.Lock()
	all := c.byAddr
	c.byAddr = nil
	c.mu.Unlock()
	var errs []error
	for addr, conn := range all {
		if err := conn.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close connection to %s: %w", addr, err))
		}
	}
	return errors.Join(errs...)
}
