package testcoord

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// BenchmarkStep measures what the coordinator adds to a command: one step that does nothing, at one peer, over gRPC on
// loopback. It reports the median and the 99th percentile in milliseconds.
func BenchmarkStep(b *testing.B) {
	suite, err := Parse("bench.lab", []byte("alice noop\nalice noop\n"), fakeTable(nil))
	if err != nil {
		b.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	c := New(suite, Options{})
	server := grpc.NewServer()
	testcoordv1.RegisterCoordinatorServiceServer(server, c)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	attached := make(chan error, 1)
	go func() {
		_, err := Attach(context.Background(), testcoordv1.NewCoordinatorServiceClient(conn), &testcoordv1.Hello{Name: "alice"},
			&command.Executor{Table: fakeTable(nil)}, event.New("alice", 100))
		attached <- err
	}()
	ctx := context.Background()
	c.result = &Result{}
	if err := c.startPeers(ctx, suite.Peers); err != nil {
		b.Fatal(err)
	}
	times := make([]time.Duration, 0, b.N)
	for b.Loop() {
		c.runs = 0 // as many as the benchmark likes
		begin := time.Now()
		if !(&flow{c: c, jobs: &jobs{}}).one(ctx, suite.Steps[0]) {
			b.Fatal("the step failed")
		}
		times = append(times, time.Since(begin))
	}
	c.endAll()
	if err := <-attached; err != nil {
		b.Error(err)
	}
	slices.Sort(times)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(times[len(times)/2]), "p50-ms")
	b.ReportMetric(ms(times[len(times)*99/100]), "p99-ms")
}
