package network_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/network"
)

// serve runs a gRPC server at server, and gives a client at client.
func serve(t *testing.T, server, client network.Network, addr string) (healthv1.HealthClient, *health.Server) {
	t.Helper()
	l, err := server.Listen(t.Context(), network.RPC, addr)
	if err != nil {
		t.Fatal(err)
	}
	s, h := grpc.NewServer(), health.NewServer()
	healthv1.RegisterHealthServer(s, h)
	go func() { _ = s.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			return client.Dial(ctx, network.RPC, addr)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
	})
	return healthv1.NewHealthClient(conn), h
}

// checkGRPC makes a call, and reads a stream.
func checkGRPC(t *testing.T, c healthv1.HealthClient, h *health.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := c.Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil || r.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("check: %v, %v", r, err)
	}
	stream, err := c.Watch(ctx, &healthv1.HealthCheckRequest{Service: "chat"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthv1.HealthCheckResponse_ServingStatus{
		healthv1.HealthCheckResponse_SERVICE_UNKNOWN, healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING,
	} {
		if want != healthv1.HealthCheckResponse_SERVICE_UNKNOWN {
			h.SetServingStatus("chat", want)
		}
		if r, err := stream.Recv(); err != nil || r.GetStatus() != want {
			t.Fatalf("watch: %v, %v; want %v", r, err, want)
		}
	}
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	t.Run("system", func(t *testing.T) {
		t.Parallel()
		c, h := serve(t, network.System(), network.System(), "127.0.0.1:0")
		checkGRPC(t, c, h)
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		m := network.NewMemory()
		c, h := serve(t, m.Host("10.0.0.1"), m.Host("10.0.0.2"), "10.0.0.1:0")
		checkGRPC(t, c, h)
	})
}

func TestGRPCInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := network.NewMemory()
		c, h := serve(t, m.Host("10.0.0.1"), m.Host("10.0.0.2"), "10.0.0.1:0")
		checkGRPC(t, c, h)

		m.Partition([]string{"10.0.0.1"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if _, err := c.Check(ctx, &healthv1.HealthCheckRequest{}); status.Code(err) != codes.DeadlineExceeded || time.Since(start) != time.Minute {
			t.Errorf("call across a cut: %v after %s", err, time.Since(start))
		}
		m.Heal()
		if _, err := c.Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
			t.Errorf("call after healing: %v", err)
		}
	})
}
