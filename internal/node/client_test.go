package node

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/network"
	nodev1 "peerlab.example/peerlab/proto/peerlab/node/v1"
)

// TestDialOverALongWay connects where a round trip takes as long as members may take to answer a probe (profile wan).
func TestDialOverALongWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := network.NewMemory()
		srv := NewServer(ServerConfig{Role: "peer", Name: "alice", Network: memory.Host("127.0.0.1"), Events: event.New("alice", 16), Log: zerolog.Nop()})
		if err := srv.Start(t.Context(), "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		faults := network.NewFaults(memory.Host("127.0.0.2"), 1)
		if _, err := faults.Set(network.Rule{Kind: network.Latency, Delay: 1500 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		conn, err := Dial(faults, nil, srv.Addr())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := nodev1.NewNodeServiceClient(conn).Version(ctx, &nodev1.VersionRequest{}); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
		_ = srv.Close()
		_ = faults.Close()
	})
}
