package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	consolev1 "peerlab.example/peerlab/proto/peerlab/console/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// BenchmarkDefaultCmd is a whole run of the prototype's suite, as a user starts it: the process of the
// coordinator, its bootstrap service, three peer processes, and their end.
func BenchmarkDefaultCmd(b *testing.B) {
	path := buildBinary(b)
	for b.Loop() {
		cmd := exec.Command(path, "coordinator", "run", filepath.Join(repository(), "examples", "default.cmd"))
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}

// BenchmarkChatOverProcesses sends from one of 50 peer processes to the 49 others. An operation is one
// message; latency is from the command to the event "message" at a receiver, by the clock of this machine.
func BenchmarkChatOverProcesses(b *testing.B) {
	const n = 50
	path := buildBinary(b)
	boot := startProcess(b, path, "bootstrap", "--listen", "127.0.0.1:0", "--store", "memory:")
	var sender *grpc.ClientConn
	var watchers []eventv1.EventServiceClient
	for i := range n {
		addr := startProcess(b, path, "peer", "--bootstrap", boot, "--name", fmt.Sprintf("p%02d", i), "--no-console")
		conn, err := node.Dial(network.System(), nil, addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		if i == 0 {
			sender = conn
			continue
		}
		watchers = append(watchers, eventv1.NewEventServiceClient(conn))
	}
	console := consolev1.NewConsoleServiceClient(sender)
	waitForMembers(b, console, n-1)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	var mu sync.Mutex
	sent := make([]time.Time, b.N) // guarded by mu
	var latencies []time.Duration  // guarded by mu
	var group errgroup.Group
	for _, w := range watchers {
		stream, err := w.WatchEvents(ctx, &eventv1.WatchEventsRequest{Kinds: []string{"message"}})
		if err != nil {
			b.Fatal(err)
		}
		group.Go(func() error {
			for i := range b.N {
				r, err := stream.Recv()
				if err != nil {
					return err
				}
				if want := fmt.Sprintf("message %d", i); r.GetEvent().GetMessage().GetText() != want {
					return fmt.Errorf("%s got %q, want %q", r.GetEvent().GetNode(), r.GetEvent().GetMessage().GetText(), want)
				}
				mu.Lock()
				latencies = append(latencies, r.GetEvent().GetTime().AsTime().Sub(sent[i]))
				mu.Unlock()
			}
			return nil
		})
	}
	b.ResetTimer()
	for i := range b.N {
		mu.Lock()
		sent[i] = time.Now()
		mu.Unlock()
		if err := exec1(ctx, console, fmt.Sprintf("msg message %d", i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	slices.Sort(latencies)
	b.ReportMetric(float64(len(latencies))/b.Elapsed().Seconds(), "delivered/s")
	b.ReportMetric(float64(latencies[len(latencies)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds())/1000, "p99-ms")
}

func exec1(ctx context.Context, c consolev1.ConsoleServiceClient, line string) error {
	stream, err := c.Exec(ctx, &consolev1.ExecRequest{Line: line})
	if err != nil {
		return err
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		if end := r.GetEnd(); end != nil {
			if end.GetError() != "" {
				return fmt.Errorf("%s: %s", line, end.GetError())
			}
			return nil
		}
	}
}

// waitForMembers asks until the chat has that many others.
func waitForMembers(b *testing.B, c consolev1.ConsoleServiceClient, n int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		stream, err := c.Exec(ctx, &consolev1.ExecRequest{Line: "chat members"})
		if err != nil {
			b.Fatal(err)
		}
		rows := 0
		for {
			r, err := stream.Recv()
			if err != nil || r.GetEnd() != nil {
				break
			}
			rows += strings.Count(r.GetOutput(), " linked ")
		}
		if rows >= n {
			return
		}
	}
	b.Fatalf("not %d members in time", n)
}

func buildBinary(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "peerlab")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}

// startProcess starts a node until the end of the benchmark, and returns its address.
func startProcess(b *testing.B, path string, args ...string) string {
	b.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+b.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			go func() {
				for lines.Scan() { // a full pipe would stop the process
				}
			}()
			return m[1]
		}
	}
	b.Fatalf("%v told no address", args)
	return ""
}
