// Package apitest checks the API of the bootstrap service, whatever it is spoken over: one table of
// calls for each way to reach it, with the same answers and the same errors.
package apitest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Open returns a connection to a new service whose store is empty.
type Open func(t *testing.T) grpc.ClientConnInterface

// step is one call: what is sent, and what has to come back.
type step struct {
	req    proto.Message
	want   string // as describe says it
	code   codes.Code
	fields []string // that the error blames, in order
}

// Run makes all calls of the table, each test with a service of its own.
func Run(t *testing.T, open Open) {
	for _, tt := range table() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := bootstrapv1.NewBootstrapServiceClient(open(t))
			for i, s := range tt.steps {
				s.check(t, fmt.Sprintf("step %d, %T", i+1, s.req), client)
			}
		})
	}
	t.Run("watch", func(t *testing.T) {
		t.Parallel()
		watch(t, bootstrapv1.NewBootstrapServiceClient(open(t)))
	})
}

func (s step) check(t *testing.T, name string, client bootstrapv1.BootstrapServiceClient) {
	t.Helper()
	answer, err := call(t.Context(), client, s.req)
	if status.Code(err) != s.code {
		t.Errorf("%s: %v, want code %v", name, err, s.code)
	}
	if got := blamed(err); !slices.Equal(got, s.fields) {
		t.Errorf("%s: blames %q, want %q: %v", name, got, s.fields, err)
	}
	if err == nil && answer != s.want {
		t.Errorf("%s: %q, want %q", name, answer, s.want)
	}
}

// call sends a request to the method that takes it.
func call(ctx context.Context, c bootstrapv1.BootstrapServiceClient, req proto.Message) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	switch req := req.(type) {
	case *bootstrapv1.PingRequest:
		_, err := c.Ping(ctx, req)
		return "pong", err
	case *bootstrapv1.JoinRequest:
		r, err := c.Join(ctx, req)
		return describe(r.GetRoster(), r.GetHeld()), err
	case *bootstrapv1.LeaveRequest:
		r, err := c.Leave(ctx, req)
		return describe(r.GetRoster(), false), err
	case *bootstrapv1.RefillRequest:
		r, err := c.Refill(ctx, req)
		return describe(r.GetRoster(), r.GetHeld()), err
	case *bootstrapv1.RenewRequest:
		r, err := c.Renew(ctx, req)
		return describe(r.GetRoster(), r.GetHeld()), err
	case *bootstrapv1.ListRequest:
		r, err := c.List(ctx, req)
		return describe(r.GetRoster(), false), err
	case *bootstrapv1.ResetRequest:
		r, err := c.Reset(ctx, req)
		return describe(r.GetRoster(), false), err
	case *bootstrapv1.GetConfigRequest:
		r, err := c.GetConfig(ctx, req)
		return describeConfig(r.GetConfig()), err
	case *bootstrapv1.UpdateConfigRequest:
		r, err := c.UpdateConfig(ctx, req)
		return describe(r.GetRoster(), false) + " " + describeConfig(r.GetRoster().GetConfig()), err
	}
	return "", fmt.Errorf("no method takes %T", req)
}

// describe says all of a roster that does not depend on the clock: "group@revision: name name", and "held" if so.
func describe(r *bootstrapv1.Roster, held bool) string {
	if r == nil {
		return "unchanged"
	}
	names := make([]string, 0, len(r.GetPeers()))
	for _, p := range r.GetPeers() {
		names = append(names, p.GetName())
		if p.GetExpiresAt().AsTime().Before(time.Now().Add(-time.Minute)) {
			names = append(names, "expired?")
		}
	}
	if int(r.GetCount()) != len(names) {
		names = append(names, fmt.Sprintf("count=%d?", r.GetCount()))
	}
	out := fmt.Sprintf("%s@%d: %s", r.GetGroup(), r.GetRevision(), strings.Join(names, " "))
	if held {
		out += ", held"
	}
	return strings.TrimSpace(out)
}

func describeConfig(c *bootstrapv1.Config) string {
	return fmt.Sprintf("%d/%d/%v", c.GetMaxPeers(), c.GetMinRefillCandidates(), c.GetLease().AsDuration())
}

// blamed are the fields that an error names.
func blamed(err error) []string {
	var out []string
	for _, detail := range status.Convert(err).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				out = append(out, v.GetField())
			}
		}
	}
	return out
}

// watch checks that a Watch tells of each change, and that it ends with its context.
func watch(t *testing.T, c bootstrapv1.BootstrapServiceClient) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	stream, err := c.Watch(ctx, &bootstrapv1.WatchRequest{Group: "watched"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"watched@0:", "watched@1: ann", "watched@2: ann bob", "watched@3: bob"} {
		m, err := stream.Recv()
		if err != nil {
			t.Fatalf("answer %d: %v", i+1, err)
		}
		if got := describe(m.GetRoster(), false); got != want {
			t.Fatalf("answer %d: %q, want %q", i+1, got, want)
		}
		next := []proto.Message{
			&bootstrapv1.JoinRequest{Group: "watched", Peer: peer(1, "ann")},
			&bootstrapv1.JoinRequest{Group: "watched", Peer: peer(2, "bob")},
			&bootstrapv1.LeaveRequest{Group: "watched", Id: id(1)},
			&bootstrapv1.PingRequest{},
		}[i]
		if _, err := call(ctx, c, next); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("a watch whose context has ended: %v", err)
	}
	bad, err := c.Watch(t.Context(), &bootstrapv1.WatchRequest{Group: "a b"})
	if err == nil {
		_, err = bad.Recv()
	}
	if got := blamed(err); status.Code(err) != codes.InvalidArgument || !slices.Equal(got, []string{"group"}) || errors.Is(err, io.EOF) {
		t.Errorf("a watch of a bad group: %v", err)
	}
}

func id(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

// peer joined so many seconds after the others' first.
func peer(i int, name string) *bootstrapv1.Peer {
	return &bootstrapv1.Peer{
		Id: id(i), Name: name, Host: "127.0.0.1", Port: uint32(1000 + i), Protocol: "memberlist", //nolint:gosec // small
		JoinedAt: timestamppb.New(time.Unix(1_700_000_000+int64(i), 0)),
		Labels:   map[string]string{"zone": "z" + name},
	}
}

// with is a peer that was changed.
func with(p *bootstrapv1.Peer, change func(*bootstrapv1.Peer)) *bootstrapv1.Peer {
	change(p)
	return p
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

func seconds(n int) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Second) }
