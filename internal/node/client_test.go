package node

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"

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

// TestDialFindsAServerThatIsBack calls a server that was away for long, at once when it is back.
func TestDialFindsAServerThatIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const addr = "127.0.0.1:7000"
		memory := network.NewMemory()
		conn, err := Dial(memory.Host("127.0.0.2"), nil, addr)
		if err != nil {
			t.Fatal(err)
		}
		call := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := nodev1.NewNodeServiceClient(conn).Version(ctx, &nodev1.VersionRequest{}, grpc.WaitForReady(true))
			return err
		}
		for away := time.Minute; away < time.Minute+3*time.Second; away += 100 * time.Millisecond {
			for end := time.Now().Add(away); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
				conn.Connect() // as calls do that come all the time
			}
			srv := NewServer(ServerConfig{Role: "peer", Name: "alice", Network: memory.Host("127.0.0.1"), Events: event.New("alice", 16), Log: zerolog.Nop()})
			if err := srv.Start(t.Context(), addr); err != nil {
				t.Fatal(err)
			}
			if err := call(); err != nil {
				t.Errorf("after %s: %v", away, err)
			}
			_ = srv.Close()
		}
		_ = conn.Close()
	})
}
