package etcd_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// call is a request to the service, with what it should do as a rule.
type call struct {
	name string
	send func(ctx context.Context, s *bootstrap.Service, group string) (*bootstrapv1.Roster, error)
	rule func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster
}

func (c call) String() string { return c.name }

// drawPeer draws one of a few ids, addresses and times, so that they meet.
func drawPeer(t *rapid.T) *bootstrapv1.Peer {
	id := rapid.IntRange(1, 5).Draw(t, "id")
	host := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "host")
	joined := rapid.IntRange(0, 9).Draw(t, "joined")
	return &bootstrapv1.Peer{
		Id:       fmt.Sprintf("00000000-0000-4000-8000-%012d", id),
		Name:     host,
		Host:     host,
		Port:     1,
		JoinedAt: timestamppb.New(time.Unix(1700000000+int64(joined), 0)),
	}
}

// drawCall draws any request that changes a roster. No lease ends during the test.
func drawCall(t *rapid.T) call {
	p := drawPeer(t)
	named := func(name string) string { return fmt.Sprintf("%s %s %s", name, p.GetId()[35:], p.GetHost()) }
	switch kind := rapid.IntRange(0, 9).Draw(t, "call"); kind {
	case 0, 1, 2:
		return joinCall(named("join"), p)
	case 3, 4:
		return call{named("refill"),
			func(ctx context.Context, s *bootstrap.Service, group string) (*bootstrapv1.Roster, error) {
				resp, err := s.Refill(ctx, &bootstrapv1.RefillRequest{Group: group, Candidate: p})
				return resp.GetRoster(), err
			},
			func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster { return bootstrap.Refill(r, p, now) }}
	case 5:
		return call{named("renew"),
			func(ctx context.Context, s *bootstrap.Service, group string) (*bootstrapv1.Roster, error) {
				resp, err := s.Renew(ctx, &bootstrapv1.RenewRequest{Group: group, Id: p.GetId()})
				return resp.GetRoster(), err
			},
			func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster {
				return bootstrap.Renew(r, p.GetId(), now)
			}}
	case 6, 7:
		return call{named("leave"),
			func(ctx context.Context, s *bootstrap.Service, group string) (*bootstrapv1.Roster, error) {
				resp, err := s.Leave(ctx, &bootstrapv1.LeaveRequest{Group: group, Id: p.GetId()})
				return resp.GetRoster(), err
			},
			func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster {
				return bootstrap.Leave(r, p.GetId(), now)
			}}
	case 8:
		return call{"reset",
			func(ctx context.Context, s *bootstrap.Service, group string) (*bootstrapv1.Roster, error) {
				resp, err := s.Reset(ctx, &bootstrapv1.ResetRequest{Group: group})
				return resp.GetRoster(), err
			},
			func(r *bootstrapv1.Roster, _ time.Time) *bootstrapv1.Roster { return bootstrap.Reset(r) }}
	default:
		return resizeCall(rapid.Uint32Range(1, 4).Draw(t, "places"))
	}
}

func joinCall(name string, p *bootstrapv1.Peer) call {
	return call{name,
		func(ctx context.Context, s *bootstrap.Service, group string) (*bootstrapv1.Roster, error) {
			resp, err := s.Join(ctx, &bootstrapv1.JoinRequest{Group: group, Peer: p})
			return resp.GetRoster(), err
		},
		func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster { return bootstrap.Join(r, p, now) }}
}

// resizeCall also gives an hour's lease.
func resizeCall(places uint32) call {
	set := &bootstrapv1.Config{MaxPeers: places, Lease: durationpb.New(time.Hour)}
	return call{fmt.Sprint("resize ", places),
		func(ctx context.Context, s *bootstrap.Service, group string) (*bootstrapv1.Roster, error) {
			resp, err := s.UpdateConfig(ctx, &bootstrapv1.UpdateConfigRequest{Group: group, Config: set})
			return resp.GetRoster(), err
		},
		func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster {
			return bootstrap.UpdateConfig(r, set, now)
		}}
}

func list(ctx context.Context, s *bootstrap.Service, group string) (*bootstrapv1.Roster, error) {
	resp, err := s.List(ctx, &bootstrapv1.ListRequest{Group: group})
	return resp.GetRoster(), err
}

// compare tells how two rosters differ, except in the times when leases end.
func compare(want, got *bootstrapv1.Roster) string {
	return cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(&bootstrapv1.Peer{}, "expires_at"))
}

// replicas are two services on stores of their own over one etcd.
func replicas(t testing.TB) [2]*bootstrap.Service {
	cfg := etcd.Config{Endpoints: []string{startServer(t)}}
	return [2]*bootstrap.Service{service(t, open(t, cfg)), service(t, open(t, cfg))}
}

// Requests through two replicas, one after the other, have the results that one service in memory gives.
func TestReplicasAreOneService(t *testing.T) {
	t.Parallel()
	two := replicas(t)
	one := service(t, memory.New(0))
	var groups atomic.Int64
	rapid.Check(t, func(r *rapid.T) {
		group := fmt.Sprint("sequential", groups.Add(1))
		calls := append([]call{resizeCall(2)}, rapid.SliceOfN(rapid.Custom(drawCall), 1, 15).Draw(r, "calls")...)
		for _, c := range calls {
			via := rapid.IntRange(0, 1).Draw(r, "via")
			got, gotErr := c.send(t.Context(), two[via], group)
			want, wantErr := c.send(t.Context(), one, group)
			if status.Code(gotErr) != status.Code(wantErr) {
				r.Fatalf("%s: %v, want %v", c, gotErr, wantErr)
			}
			if diff := compare(want, got); diff != "" {
				r.Fatalf("%s (-want +got):\n%s", c, diff)
			}
			listed, err := list(t.Context(), two[1-via], group)
			if diff := compare(want, listed); err != nil || diff != "" {
				r.Fatalf("after %s the other replica lists, %v (-want +got):\n%s", c, err, diff)
			}
		}
	})
}

// outcome is what a call returned.
type outcome struct {
	call
	got *bootstrapv1.Roster
}

// Requests through two replicas at once have the results of some order of them in which each replica's own
// are in theirs.
func TestConcurrentReplicasAreOneService(t *testing.T) {
	t.Parallel()
	two := replicas(t)
	var groups atomic.Int64
	rapid.Check(t, func(r *rapid.T) {
		group := fmt.Sprint("concurrent", groups.Add(1))
		begin, err := resizeCall(2).send(t.Context(), two[0], group)
		if err != nil {
			r.Fatal(err)
		}
		var done [2][]outcome
		for i := range done {
			for _, c := range rapid.SliceOfN(rapid.Custom(drawCall), 1, 5).Draw(r, "calls") {
				done[i] = append(done[i], outcome{call: c})
			}
		}
		var wg sync.WaitGroup
		var failures [2]error
		for i, svc := range two {
			wg.Go(func() {
				for j := range done[i] {
					done[i][j].got, failures[i] = done[i][j].send(t.Context(), svc, group)
					if failures[i] != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		for _, err := range failures {
			if err != nil {
				r.Fatal(err)
			}
		}
		final, err := list(t.Context(), two[0], group)
		if err != nil {
			r.Fatal(err)
		}
		if !explained(begin, done[0], done[1], final, time.Now()) {
			r.Fatalf("no order of the calls explains what they returned:\n%v\n%v\nand in the end\n%v", done[0], done[1], final)
		}
	})
}

// explained looks for an order of the calls a and b, each kept in its own order, in which the rules make all
// that was returned. Each call has a time of its own, as it had.
func explained(at *bootstrapv1.Roster, a, b []outcome, final *bootstrapv1.Roster, now time.Time) bool {
	if len(a) == 0 && len(b) == 0 {
		return compare(at, final) == ""
	}
	for _, way := range [][2][]outcome{{a, b}, {b, a}} {
		first, other := way[0], way[1]
		if len(first) == 0 {
			continue
		}
		next := first[0].rule(at, now)
		if compare(next, first[0].got) == "" && explained(next, first[1:], other, final, now.Add(time.Second)) {
			return true
		}
	}
	return false
}

// A client that watches one replica sees, in the end, what is changed through the other.
func TestWatchSeesChangesOfTheOtherReplica(t *testing.T) {
	t.Parallel()
	two := replicas(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	bootstrapv1.RegisterBootstrapServiceServer(srv, two[0])
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) })
	defer serving.Wait()
	defer srv.Stop()
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stream, err := bootstrapv1.NewBootstrapServiceClient(conn).Watch(ctx, &bootstrapv1.WatchRequest{Group: "a"})
	if err != nil {
		t.Fatal(err)
	}
	for i := -1; i < 5; i++ {
		want := &bootstrapv1.Roster{Group: "a", Config: bootstrap.DefaultConfig()}
		if i >= 0 {
			if want, err = resizeCall(uint32(10+i)).send(ctx, two[1], "a"); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := stream.Recv()
		if diff := compare(want, resp.GetRoster()); err != nil || diff != "" {
			t.Fatalf("watch after change %d: %v (-want +got):\n%s", i, err, diff)
		}
	}
}
