package bolt_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/bolt"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// A service that is killed under load, again and again, has each join that it acknowledged.
func TestAcknowledgedJoinsSurviveKill(t *testing.T) {
	t.Parallel()
	const rounds, enough, perRound = 3, 60, 300 // acknowledged joins before a kill; numbers per round
	path := filepath.Join(t.TempDir(), "roster.db")
	acknowledged := make(map[int]bool)
	for round := range rounds {
		for i := range killUnderLoad(t, path, round*perRound, perRound, enough) {
			acknowledged[i] = true
		}
		s, err := bolt.Open(path, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Load(t.Context(), bootstrap.DefaultGroup)
		if err != nil {
			t.Fatal(err)
		}
		for i := range acknowledged {
			if !bootstrap.Held(r, storetest.Peer(i).GetId()) {
				t.Errorf("round %d: acknowledged peer %d is lost", round, i)
			}
		}
		if len(acknowledged) < enough*(round+1) {
			t.Errorf("round %d: %d joins were acknowledged, want at least %d", round, len(acknowledged), enough*(round+1))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A second process is refused with an error that names the file, and at once when the first is
// killed the file is free.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "roster.db")
	_, kill := startServer(t, path)
	if _, err := bolt.Open(path, 0); err == nil || !strings.Contains(err.Error(), path+": another process has it open") {
		t.Errorf("open: %v", err)
	}
	kill()
	open(t, path, 0)
}

// startServer runs the service in a process of its own; kill ends it with SIGKILL and waits.
func startServer(t *testing.T, path string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), serverEnv+"="+path)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill = func() {
		once.Do(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server does not say its address: %v", err)
	}
	return strings.TrimSpace(line), kill
}

// killUnderLoad joins up to n peers, numbered from first, and kills the service once enough
// joins were acknowledged. It returns all that were.
func killUnderLoad(t *testing.T, path string, first, n, enough int) map[int]bool {
	t.Helper()
	addr, kill := startServer(t, path)
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := bootstrapv1.NewBootstrapServiceClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = client.UpdateConfig(ctx, &bootstrapv1.UpdateConfigRequest{
		Config: &bootstrapv1.Config{MaxPeers: bootstrap.MaxPeers, Lease: durationpb.New(time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	const clients = 8
	joined := make(chan int, n)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := first + c; i < first+n; i += clients {
				if _, err := client.Join(ctx, &bootstrapv1.JoinRequest{Peer: storetest.Peer(i)}); err != nil {
					return // killed
				}
				joined <- i
			}
		})
	}
	go func() {
		wg.Wait()
		close(joined)
	}()
	acknowledged := make(map[int]bool)
	for i := range joined {
		acknowledged[i] = true
		if len(acknowledged) == enough {
			kill()
		}
	}
	return acknowledged
}
