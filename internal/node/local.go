package node

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// localBuffer is how many bytes may be under way in each direction of the local connection.
const localBuffer = 256 << 10

// Local returns a connection to the server inside this process, for what puts another protocol before
// it. All interceptors see its calls, tokens are checked as on any other, and there is no TLS on
// it. Its calls are not taken from the rates: whoever puts a protocol before the server asks Admit. It is the caller's to
// close, before the server.
func (s *Server) Local() (*grpc.ClientConn, error) {
	l := bufconn.Listen(localBuffer)
	conn, err := grpc.NewClient("passthrough:///local",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
		grpc.WithNoProxy(),
	)
	if err != nil {
		return nil, fmt.Errorf("local connection: %w", err)
	}
	s.group.Go(func() error {
		if err := s.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			return fmt.Errorf("serve the local connection: %w", err)
		}
		return nil
	})
	return conn, nil
}

// isLocal reports whether a connection to the server comes from Local.
func isLocal(addr net.Addr) bool { return addr.Network() == "bufconn" }

// exceptLocal are credentials that a local connection does without.
type exceptLocal struct {
	credentials.TransportCredentials
}

// ServerHandshake is that of credentials.TransportCredentials.
func (c exceptLocal) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if isLocal(conn.RemoteAddr()) {
		return insecure.NewCredentials().ServerHandshake(conn)
	}
	return c.TransportCredentials.ServerHandshake(conn)
}

// Clone is that of credentials.TransportCredentials.
func (c exceptLocal) Clone() credentials.TransportCredentials {
	return exceptLocal{c.TransportCredentials.Clone()}
}
