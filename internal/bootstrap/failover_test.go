package bootstrap_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// hangs is a replica that accepts calls and never answers.
func hangs(ctx context.Context, _ int) error {
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

func gone(context.Context, int) error { return status.Error(codes.Unavailable, "connection refused") }

func answers(context.Context, int) error { return nil }

func TestFailover(t *testing.T) {
	t.Parallel()
	refuses := func(context.Context, int) error { return status.Error(codes.InvalidArgument, "no") }
	type try = func(ctx context.Context, n int) error
	tests := []struct {
		name    string
		tries   []try
		code    codes.Code
		message string
		calls   []int // to each replica, of two calls one after the other
		elapsed time.Duration
	}{
		{"the first answers", []try{answers, answers}, codes.OK, "", []int{2, 0}, 0},
		{"the first is gone, and not asked again", []try{gone, answers}, codes.OK, "", []int{1, 2}, 0},
		{"two are gone", []try{gone, gone, answers}, codes.OK, "", []int{1, 1, 2}, 0},
		{"a refusal is an answer", []try{refuses, answers}, codes.InvalidArgument, "no", []int{2, 0}, 0},
		{"a silent one gets its share of the time", []try{hangs, answers}, codes.OK, "", []int{1, 2}, 3 * time.Second},
		{"all are gone", []try{gone, gone}, codes.Unavailable, "b0: connection refused; b1: connection refused", []int{2, 2}, 0},
		{"one says why, and then time is up", []try{gone, hangs}, codes.Unavailable, "b0: connection refused; b1: context deadline exceeded", []int{2, 2}, 12 * time.Second},
		{"all are silent", []try{hangs, hangs}, codes.DeadlineExceeded, "", []int{2, 2}, 12 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var conns []*brokenConn
				var endpoints []bootstrap.Endpoint
				for i, try := range tt.tries {
					conns = append(conns, &brokenConn{call: try})
					endpoints = append(endpoints, bootstrap.Endpoint{Name: "b" + string(rune('0'+i)), Conn: conns[i]})
				}
				client := bootstrapv1.NewBootstrapServiceClient(bootstrap.Failover(endpoints...))
				start := time.Now()
				for range 2 {
					ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
					_, err := client.Ping(ctx, &bootstrapv1.PingRequest{})
					cancel()
					if status.Code(err) != tt.code || !strings.Contains(status.Convert(err).Message(), tt.message) {
						t.Errorf("%v, want %v and %q", err, tt.code, tt.message)
					}
				}
				for i, c := range conns {
					if c.calls != tt.calls[i] {
						t.Errorf("replica %d got %d calls, want %d", i, c.calls, tt.calls[i])
					}
				}
				if got := time.Since(start); got != tt.elapsed {
					t.Errorf("took %v, want %v", got, tt.elapsed)
				}
			})
		})
	}
}

// streamConn is a replica whose watches give one roster and break.
type streamConn struct {
	grpc.ClientConnInterface
	opened int
}

type brokenStream struct {
	grpc.ClientStream
	ctx  context.Context
	left int
}

func (s *brokenStream) SendMsg(any) error        { return nil }
func (s *brokenStream) CloseSend() error         { return nil }
func (s *brokenStream) Context() context.Context { return s.ctx }
func (s *brokenStream) RecvMsg(any) error {
	if s.left--; s.left < 0 {
		return status.Error(codes.Unavailable, "broke")
	}
	return nil
}

func (c *streamConn) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	c.opened++
	return &brokenStream{ctx: ctx, left: 1}, nil
}

// TestWatchFailover begins a watch again, as callers do: each time it is another replica's.
func TestWatchFailover(t *testing.T) {
	t.Parallel()
	a, b := &streamConn{}, &streamConn{}
	client := bootstrapv1.NewBootstrapServiceClient(bootstrap.Failover(
		bootstrap.Endpoint{Name: "a", Conn: a}, bootstrap.Endpoint{Name: "b", Conn: b}))
	for range 4 {
		stream, err := client.Watch(t.Context(), &bootstrapv1.WatchRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
			t.Fatal(err)
		}
	}
	if a.opened != 2 || b.opened != 2 {
		t.Errorf("opened %d and %d watches, want 2 and 2", a.opened, b.opened)
	}
}
