package bootstrap_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/bolt"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// eachStore runs a test over a new store of each kind.
func eachStore(t *testing.T, test func(t *testing.T, s bootstrap.Store)) {
	for _, kind := range []string{"memory", "bolt"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, openStore(t, kind))
		})
	}
}

func openStore(t testing.TB, kind string) bootstrap.Store {
	t.Helper()
	if kind == "memory" {
		return memory.New(0)
	}
	s, err := bolt.Open(filepath.Join(t.TempDir(), "roster.db"), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// newService starts a service that the test closes.
func newService(t testing.TB, s bootstrap.Store, o bootstrap.Options) *bootstrap.Service {
	t.Helper()
	svc := bootstrap.NewService(s, o)
	svc.Start()
	t.Cleanup(func() { _ = svc.Close() })
	return svc
}

// serve serves on a free loopback port until the test ends, and returns its address.
func serve(t testing.TB, register func(*grpc.Server)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	register(srv)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

func serveBootstrap(t testing.TB, svc bootstrapv1.BootstrapServiceServer) string {
	t.Helper()
	return serve(t, func(srv *grpc.Server) { bootstrapv1.RegisterBootstrapServiceServer(srv, svc) })
}

func dial(t testing.TB, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func newClient(t testing.TB, addr string) bootstrapv1.BootstrapServiceClient {
	t.Helper()
	return bootstrap.NewClient(dial(t, addr), bootstrap.ClientOptions{})
}

// watchStream is the server's end of a Watch without a network.
type watchStream struct {
	grpc.ServerStream
	ctx  context.Context
	sent chan *bootstrapv1.Roster
}

func (s *watchStream) Context() context.Context { return s.ctx }

func (s *watchStream) Send(r *bootstrapv1.WatchResponse) error {
	select {
	case s.sent <- r.GetRoster():
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}
