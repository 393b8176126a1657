package node

import (
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"

	"peerlab.example/peerlab/internal/network"
)

// connectTimeout is how long an attempt to connect may take. TCP, TLS 1.3 and the first frames of HTTP/2 take a round trip each,
// and a round trip takes up to 3 s where the gossip profile wan still takes it for an answer.
const connectTimeout = 10 * time.Second

// redialMost is the longest wait between two attempts to connect, but for the jitter of a fifth. It is shorter than a peer has patience with one
// call of the bootstrap service, 2 s: where connections were refused, each call comes through as soon as the service is back.
const redialMost = time.Second

// Dead connections on which a call is open are looked for by gRPC keepalive after this much silence (its smallest period is 10 s), and given up when
// there is no answer within keepaliveTimeout. Between members there are many connections, and membership watches who is alive: what is left to
// find is a connection that is dead although both live, and where something is sent on it, the system may find that out sooner (network.System).
const (
	keepaliveTime    = 10 * time.Second
	keepaliveMembers = time.Minute
	keepaliveTimeout = 5 * time.Second
)

// readBuffer is what a connection has to read with, in bytes. gRPC takes 32 KiB, which is much of a peer's memory in a group where each is connected
// with each. What is larger than the buffer is read past it.
const readBuffer = 4 << 10

// Dial makes a connection to the gRPC server at addr. It connects in the background, and again
// after a loss with backoff from 50 ms to 1 s: a lab is small, and its user waits for it.
// The caller closes it. While a call is open, a dead connection is found within about 15 s.
func Dial(n network.Network, s *Security, addr string) (*grpc.ClientConn, error) {
	return dialAfter(n, s, addr, keepaliveTime)
}

// DialMember is Dial to another member, whom membership watches: a connection that is dead although the member lives is found
// within about 65 s of silence.
func DialMember(n network.Network, s *Security, addr string) (*grpc.ClientConn, error) {
	return dialAfter(n, s, addr, keepaliveMembers)
}

func dialAfter(n network.Network, s *Security, addr string, silence time.Duration) (*grpc.ClientConn, error) {
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(s.clientCredentials()),
		grpc.WithContextDialer(s.dialer(n)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: silence, Timeout: keepaliveTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: redialMost},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithReadBufferSize(readBuffer),
		// Peers connect to the addresses of the lab, never through a proxy of the environment.
		grpc.WithNoProxy(),
	}
	if s != nil && s.sends != "" {
		opts = append(opts, grpc.WithPerRPCCredentials(bearer(s.sends)))
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, fmt.Errorf("%q is not host:port", addr)
	}
	if err := s.checkToken(addr); err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+addr, opts...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	return conn, nil
}

// Reason is what a message of gRPC says is wrong, without what gRPC puts around the error of a connection that could not be made.
func Reason(message string) string {
	if _, inner, ok := strings.Cut(message, "Error while dialing: "); ok {
		return strings.TrimSuffix(inner, `"`)
	}
	return message
}
