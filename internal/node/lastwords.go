package node

import (
	"context"
	"errors"
	"net"
	"syscall"

	"peerlab.example/peerlab/internal/network"
)

// dialer connects through the network, for gRPC and HTTP.
func (s *Security) dialer(n network.Network) func(ctx context.Context, addr string) (net.Conn, error) {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		conn, err := n.Dial(ctx, network.RPC, addr)
		if err != nil || s == nil || s.client == nil {
			return conn, err
		}
		return lastWords{conn}, nil
	}
}

// lastWords is a connection under TLS that lets its user read why the other side hung up. To a TLS 1.3
// client the handshake is over before the server looks at its certificate, so that the client writes while the alert
// "certificate required" is on its way, and the server has closed. That such a write fails says nothing;
// the reader, which still finds the alert, is the one to tell.
type lastWords struct{ net.Conn }

// Write is that of net.Conn, except that a peer that hung up is left to Read, which then ends too.
func (c lastWords) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return len(b), nil
	}
	return n, err
}
