package lab

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// TestBootstrap stops, starts, slows and wipes the service of a run, which keeps its address.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := StartBootstrap(ctx, BootstrapConfig{Listen: "127.0.0.1:0", Network: network.System(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	addr := s.Addr()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// size is how many places the group has, asked over a connection of its own.
	size := func(within time.Duration) (uint32, error) {
		conn, err := node.Dial(network.System(), nil, addr)
		must(err)
		defer func() { _ = conn.Close() }()
		ctx, cancel := contextWithin(t, within)
		defer cancel()
		r, err := bootstrapv1.NewBootstrapServiceClient(conn).GetConfig(ctx, &bootstrapv1.GetConfigRequest{})
		return r.GetConfig().GetMaxPeers(), err
	}
	want := func(places uint32) {
		t.Helper()
		if got, err := size(30 * time.Second); err != nil || got != places {
			t.Errorf("%d places, %v; want %d", got, err, places)
		}
	}
	want(2)
	conn, err := node.Dial(network.System(), nil, addr)
	must(err)
	defer func() { _ = conn.Close() }()
	_, err = bootstrapv1.NewBootstrapServiceClient(conn).UpdateConfig(ctx, &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{MaxPeers: 7}})
	must(err)

	must(s.Stop(ctx))
	if _, err := size(30 * time.Second); status.Code(err) != codes.Unavailable {
		t.Errorf("stopped: %v", err)
	}
	if s.Stop(ctx) == nil || s.Addr() != addr {
		t.Error("stopped twice, or elsewhere")
	}
	must(s.Start(ctx))
	if s.Start(ctx) == nil || s.Addr() != addr {
		t.Error("started twice, or elsewhere")
	}
	want(7) // what it held, it holds

	must(s.Slow(ctx, time.Hour))
	if _, err := size(50 * time.Millisecond); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("slow: %v", err)
	}
	must(s.Slow(ctx, 0))
	want(7)

	must(s.Wipe(ctx))
	want(2)
	must(s.Stop(ctx))
	must(s.Wipe(ctx))
	must(s.Start(ctx))
	want(2)
}

func contextWithin(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}
