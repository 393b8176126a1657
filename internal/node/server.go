package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/network"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	nodev1 "peerlab.example/peerlab/proto/peerlab/node/v1"
)

// stopGrace is how long calls that are under way may take when the server closes.
const stopGrace = time.Second

// ServerConfig is what a node's gRPC server is made of.
type ServerConfig struct {
	// Role is bootstrap, peer or coordinator; Name is that of the node.
	Role, Name string
	Network    network.Network
	// Security may be nil on loopback.
	Security *Security
	// Events is the log that WatchEvents streams.
	Events *event.Log
	Log    zerolog.Logger
	// OperatorMethods are the full names of the methods that need the role operator when there is a token.
	OperatorMethods []string
	// OperatorSetting is what gives the service a token of operators, for errors; empty means --operator-token-file.
	OperatorSetting string
	// Limits are none by default.
	Limits Limits
	// Observer may be nil.
	Observer Observer
	// Before, if set, is called before each call that is admitted, for faults on purpose: it may take its time, until the
	// call's context ends. Health is never held up.
	Before func(context.Context)
}

// Server is the gRPC server of a node. Services are registered before Start.
type Server struct {
	*grpc.Server
	cfg      ServerConfig
	log      zerolog.Logger
	health   *health.Server
	limits   *limiter
	closing  context.Context // ends when Close begins, and with it all streams
	close    context.CancelFunc
	listener net.Listener
	group    errgroup.Group
}

// NewServer makes a server with health, reflection, version and events, and starts nothing.
func NewServer(cfg ServerConfig) *Server {
	s := &Server{cfg: cfg, log: cfg.Log.With().Str("component", "node").Logger(), health: health.NewServer()}
	s.closing, s.close = context.WithCancel(context.Background())
	recoverer := recovery.WithRecoveryHandlerContext(s.recovered)
	options := []grpc.ServerOption{
		grpc.Creds(cfg.Security.serverCredentials()),
		// Clients ping silent connections each 10 s at most (see Dial); half of that is the usual tolerance.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ReadBufferSize(readBuffer),
		grpc.MaxRecvMsgSize(cfg.Limits.hardBytes()),
		grpc.ChainUnaryInterceptor(recovery.UnaryServerInterceptor(recoverer), s.admitCall),
		grpc.ChainStreamInterceptor(recovery.StreamServerInterceptor(recoverer), s.endStreams, s.admitStream),
		grpc.UnknownServiceHandler(unknownMethod),
	}
	observer := cfg.Observer
	if observer == nil {
		observer = noObserver{}
	} else {
		options = append(options, grpc.StatsHandler(observation{to: observer, known: sync.OnceValue(s.methods)}))
	}
	s.limits = newLimiter(cfg.Limits, observer.LimitHit)
	s.Server = grpc.NewServer(options...)
	grpc_health_v1.RegisterHealthServer(s, s.health)
	reflection.Register(s)
	nodev1.RegisterNodeServiceServer(s, versionService{answer: Version(cfg.Role, cfg.Name)})
	if cfg.Events != nil {
		eventv1.RegisterEventServiceServer(s, event.NewService(cfg.Events))
	}
	return s
}

// Start listens and then serves until Close. The error names the address.
func (s *Server) Start(ctx context.Context, addr string) error {
	if err := s.cfg.Security.CheckBind("--listen", addr); err != nil {
		return err
	}
	l, err := s.cfg.Network.Listen(ctx, network.RPC, addr)
	if err != nil {
		return err
	}
	s.listener = l
	s.group.Go(func() error {
		if err := s.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
		return nil
	})
	s.log.Debug().Stringer("addr", l.Addr()).Msg("grpc serves")
	return nil
}

// Addr is host:port of the listener; known after Start.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// SetServing sets what the health service says of the whole server, and of each of its services.
func (s *Server) SetServing(ok bool) {
	state := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if ok {
		state = grpc_health_v1.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", state)
	for name := range s.GetServiceInfo() {
		s.health.SetServingStatus(name, state)
	}
}

// Drain turns health to NOT_SERVING for good, so that whoever looks at it sends no more calls. All calls are
// answered still.
func (s *Server) Drain() { s.health.Shutdown() }

// Close is Shutdown with a second for the calls that are under way.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	return s.Shutdown(ctx)
}

// Shutdown drains, ends all streams with UNAVAILABLE, lets calls finish until ctx ends, and waits for everything.
// It may be called more than once, and without Start.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	s.close()
	force := context.AfterFunc(ctx, s.Stop)
	defer force()
	s.GracefulStop()
	return s.group.Wait()
}

func (s *Server) recovered(_ context.Context, v any) error {
	s.log.Error().Interface("panic", v).Bytes("stack", debug.Stack()).Msg("a call panicked")
	return status.Errorf(codes.Internal, "the call panicked: %v", v)
}

// endStreams ends the context of every stream when the server closes, so that handlers that
// follow something for ever return and GracefulStop need not wait. The client is told to go elsewhere.
func (s *Server) endStreams(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, cancel := context.WithCancel(ss.Context())
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	err := handler(srv, stream{ServerStream: ss, ctx: ctx})
	if s.closing.Err() != nil && ss.Context().Err() == nil && (errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled) {
		return status.Error(codes.Unavailable, "the "+s.cfg.Role+" ends")
	}
	return err
}

type stream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s stream) Context() context.Context { return s.ctx }
