package bootstrap_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// brokenConn is a connection on which call says how each call ends.
type brokenConn struct {
	grpc.ClientConnInterface
	calls int
	call  func(ctx context.Context, n int) error
}

func (c *brokenConn) Invoke(ctx context.Context, _ string, _, _ any, _ ...grpc.CallOption) error {
	c.calls++
	return c.call(ctx, c.calls)
}

func TestClientRetries(t *testing.T) {
	t.Parallel()
	gone := status.Error(codes.Unavailable, "gone")
	tests := []struct {
		name    string
		call    func(ctx context.Context, n int) error
		want    codes.Code
		calls   func(int) bool
		elapsed func(time.Duration) bool
	}{
		{
			"answers at last", func(_ context.Context, n int) error {
				if n < 4 {
					return gone
				}
				return nil
			}, codes.OK, func(n int) bool { return n == 4 },
			// 50, 100 and 200 ms, each at least half.
			func(d time.Duration) bool { return d >= 175*time.Millisecond && d <= 350*time.Millisecond },
		},
		{
			"never answers", func(context.Context, int) error { return gone }, codes.Unavailable,
			func(n int) bool { return n >= 8 && n <= 20 },
			func(d time.Duration) bool { return d > 3*time.Second && d <= 5*time.Second },
		},
		{
			"hangs", func(ctx context.Context, _ int) error {
				<-ctx.Done()
				return status.FromContextError(ctx.Err()).Err()
			}, codes.DeadlineExceeded, func(n int) bool { return n == 1 },
			func(d time.Duration) bool { return d == 5*time.Second },
		},
		{
			"says why, and then hangs", func(ctx context.Context, n int) error {
				if n == 1 {
					return gone
				}
				return hangs(ctx, n)
			}, codes.Unavailable, func(n int) bool { return n == 2 },
			func(d time.Duration) bool { return d == 5*time.Second },
		},
		{
			"refuses", func(context.Context, int) error { return status.Error(codes.InvalidArgument, "no") },
			codes.InvalidArgument, func(n int) bool { return n == 1 }, func(d time.Duration) bool { return d == 0 },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				conn := &brokenConn{call: tt.call}
				retries := 0
				client := bootstrap.NewClient(conn, bootstrap.ClientOptions{
					OnRetry: func(string, error, time.Duration) { retries++ },
				})
				start := time.Now()
				_, err := client.Ping(t.Context(), &bootstrapv1.PingRequest{})
				if status.Code(err) != tt.want || !tt.calls(conn.calls) || !tt.elapsed(time.Since(start)) {
					t.Errorf("%v after %d calls and %v", err, conn.calls, time.Since(start))
				}
				if retries != conn.calls-1 {
					t.Errorf("told of %d retries for %d calls", retries, conn.calls)
				}
			})
		})
	}
}

func TestClientStopsWithCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn := &brokenConn{call: func(context.Context, int) error { return status.Error(codes.Unavailable, "gone") }}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := bootstrap.NewClient(conn, bootstrap.ClientOptions{}).Ping(ctx, &bootstrapv1.PingRequest{})
		if status.Code(err) != codes.Unavailable || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestClientSaysHowLongItWaited checks that silence is told with the time that it lasted.
func TestClientSaysHowLongItWaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := bootstrap.NewClient(&brokenConn{call: hangs}, bootstrap.ClientOptions{}).Ping(ctx, &bootstrapv1.PingRequest{})
		if got := status.Convert(err); got.Code() != codes.DeadlineExceeded || got.Message() != "no answer within 2s" {
			t.Error(err)
		}
	})
}

func TestWatchOverGRPC(t *testing.T) {
	t.Parallel()
	svc := newService(t, memory.New(0), bootstrap.Options{})
	client := newClient(t, serveBootstrap(t, svc))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := client.Watch(ctx, &bootstrapv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for want := range uint64(2) {
		resp, err := stream.Recv()
		if err != nil || resp.GetRoster().GetRevision() != want {
			t.Fatalf("watch: %v, %v; want revision %d", resp, err, want)
		}
		if _, err := client.Join(ctx, &bootstrapv1.JoinRequest{Peer: testPeer(1, "a", 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := svc.Close(); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "the bootstrap service ends" {
		t.Errorf("watch of a closed service: %v", err)
	}
}
