package bootstrap_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// roomy gives the default group the largest roster.
func roomy(t testing.TB, c bootstrapv1.BootstrapServiceServer) {
	t.Helper()
	_, err := c.UpdateConfig(t.Context(), &bootstrapv1.UpdateConfigRequest{
		Config: &bootstrapv1.Config{MaxPeers: bootstrap.MaxPeers},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// joinAll joins n peers through the clients in turn, each client in its own goroutine,
// and checks that the roster of the service holds them all.
func joinAll(t *testing.T, n int, clients []bootstrapv1.BootstrapServiceClient, svc *bootstrap.Service) {
	t.Helper()
	var wg sync.WaitGroup
	for c, client := range clients {
		wg.Go(func() {
			for i := c; i < n; i += len(clients) {
				p := testPeer(i, fmt.Sprint("peer", i), 0)
				resp, err := client.Join(t.Context(), &bootstrapv1.JoinRequest{Peer: p})
				if err != nil || !resp.GetHeld() || !bootstrap.Held(resp.GetRoster(), p.GetId()) {
					t.Errorf("join %d: held %v, %v", i, resp.GetHeld(), err)
				}
			}
		})
	}
	wg.Wait()
	resp, err := svc.List(t.Context(), &bootstrapv1.ListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	r := resp.GetRoster()
	if int(r.GetCount()) != n || len(r.GetPeers()) != n || r.GetRevision() != uint64(n)+1 {
		t.Errorf("%d peers at revision %d, want %d at %d", len(r.GetPeers()), r.GetRevision(), n, n+1)
	}
}

func TestParallelJoins(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s bootstrap.Store) {
		svc := newService(t, s, bootstrap.Options{})
		roomy(t, svc)
		addr := serveBootstrap(t, svc)
		clients := make([]bootstrapv1.BootstrapServiceClient, 32)
		for i := range clients {
			clients[i] = newClient(t, addr)
		}
		joinAll(t, 200, clients, svc)
	})
}

func TestTwoServicesOnOneStore(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s bootstrap.Store) {
		one, two := newService(t, s, bootstrap.Options{}), newService(t, s, bootstrap.Options{})
		roomy(t, one)
		addrs := []string{serveBootstrap(t, one), serveBootstrap(t, two)}
		clients := make([]bootstrapv1.BootstrapServiceClient, 16)
		for i := range clients {
			clients[i] = newClient(t, addrs[i%2])
		}
		joinAll(t, 100, clients, two)
	})
}

func TestCalls(t *testing.T) {
	t.Parallel()
	svc := newService(t, memory.New(0), bootstrap.Options{})
	ctx := t.Context()
	if _, err := svc.Ping(ctx, &bootstrapv1.PingRequest{}); err != nil {
		t.Errorf("ping: %v", err)
	}
	list, err := svc.List(ctx, &bootstrapv1.ListRequest{})
	want := &bootstrapv1.Roster{Group: "default", Config: bootstrap.DefaultConfig()}
	if diff := cmp.Diff(want, list.GetRoster(), protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("list: %v, roster (-want +got):\n%s", err, diff)
	}
	a, b := testPeer(1, "a", 1), testPeer(2, "b", 2)
	join, err := svc.Join(ctx, &bootstrapv1.JoinRequest{Group: "lab", Peer: b})
	if err != nil || !join.GetHeld() || join.GetRoster().GetGroup() != "lab" {
		t.Errorf("join: %v, %v", join, err)
	}
	config, err := svc.UpdateConfig(ctx, &bootstrapv1.UpdateConfigRequest{
		Group:      "lab",
		Config:     &bootstrapv1.Config{MaxPeers: 1, MinRefillCandidates: 9},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"max_peers"}},
	})
	if c := config.GetRoster().GetConfig(); err != nil || c.GetMaxPeers() != 1 || c.GetMinRefillCandidates() != 2 {
		t.Errorf("update config: %v, %v", c, err)
	}
	if join, err = svc.Join(ctx, &bootstrapv1.JoinRequest{Group: "lab", Peer: a}); err != nil || join.GetHeld() {
		t.Errorf("join of a full roster: %v, %v", join, err)
	}
	refill, err := svc.Refill(ctx, &bootstrapv1.RefillRequest{Group: "lab", Candidate: a})
	if err != nil || !refill.GetHeld() || len(refill.GetRoster().GetPeers()) != 1 {
		t.Errorf("refill: %v, %v", refill, err)
	}
	for p, held := range map[*bootstrapv1.Peer]bool{a: true, b: false} {
		renew, err := svc.Renew(ctx, &bootstrapv1.RenewRequest{Group: "lab", Id: p.GetId()})
		if err != nil || renew.GetHeld() != held || renew.GetRoster().GetCount() != 1 {
			t.Errorf("renew %s: %v, %v", p.GetName(), renew, err)
		}
	}
	leave, err := svc.Leave(ctx, &bootstrapv1.LeaveRequest{Group: "lab", Id: a.GetId()})
	if err != nil || leave.GetRoster().GetCount() != 0 {
		t.Errorf("leave: %v, %v", leave, err)
	}
	reset, err := svc.Reset(ctx, &bootstrapv1.ResetRequest{Group: "lab"})
	if err != nil || reset.GetRoster().GetRevision() != leave.GetRoster().GetRevision() {
		t.Errorf("reset of an empty roster: %v, %v", reset, err)
	}
	got, err := svc.GetConfig(ctx, &bootstrapv1.GetConfigRequest{Group: "lab"})
	if err != nil || got.GetConfig().GetMaxPeers() != 1 {
		t.Errorf("config after reset: %v, %v", got, err)
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	svc := newService(t, memory.New(0), bootstrap.Options{})
	join := func(field string, change func(*bootstrapv1.Peer)) (string, func(context.Context) error) {
		p := testPeer(1, "a", 1)
		change(p)
		return field, func(ctx context.Context) error {
			_, err := svc.Join(ctx, &bootstrapv1.JoinRequest{Peer: p})
			return err
		}
	}
	config := func(field string, c *bootstrapv1.Config, mask ...string) (string, func(context.Context) error) {
		return field, func(ctx context.Context) error {
			_, err := svc.UpdateConfig(ctx, &bootstrapv1.UpdateConfigRequest{Config: c, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}})
			return err
		}
	}
	group := func(name string) (string, func(context.Context) error) {
		return "group", func(ctx context.Context) error {
			_, err := svc.List(ctx, &bootstrapv1.ListRequest{Group: name})
			return err
		}
	}
	var tests []func() (string, func(context.Context) error)
	add := func(field string, call func(context.Context) error) {
		tests = append(tests, func() (string, func(context.Context) error) { return field, call })
	}
	type P = *bootstrapv1.Peer
	add(join("peer.id", func(p P) { p.Id = "" }))
	add(join("peer.id", func(p P) { p.Id = "bob" }))
	add(join("peer.id", func(p P) { p.Id = "{" + p.GetId() + "}" }))
	add(join("peer.name", func(p P) { p.Name = "" }))
	add(join("peer.name", func(p P) { p.Name = " a" }))
	add(join("peer.name", func(p P) { p.Name = "a\x1b[2J" }))
	add(join("peer.name", func(p P) { p.Name = "a\u202eb" }))
	add(join("peer.name", func(p P) { p.Name = "a\xff" }))
	add(join("peer.name", func(p P) { p.Name = strings.Repeat("a", 65) }))
	add(join("peer.host", func(p P) { p.Host = "" }))
	add(join("peer.host", func(p P) { p.Host = "0.0.0.0" }))
	add(join("peer.host", func(p P) { p.Host = "a b" }))
	add(join("peer.host", func(p P) { p.Host = "fe80::1%\x1b[2J" }))
	add(join("peer.host", func(p P) { p.Host = strings.Repeat("a", 254) }))
	add(join("peer.port", func(p P) { p.Port = 0 }))
	add(join("peer.port", func(p P) { p.Port = 65536 }))
	add(join("peer.protocol", func(p P) { p.Protocol = "\x00" }))
	add(join("peer.joined_at", func(p P) { p.JoinedAt = &timestamppb.Timestamp{Nanos: -1} }))
	add(join("peer.labels", func(p P) { p.Labels = map[string]string{"": "x"} }))
	add(join("peer.labels", func(p P) { p.Labels = map[string]string{"a": "\n"} }))
	add(join("peer.labels", func(p P) { p.Labels = map[string]string{"a": strings.Repeat("x", 1024)} }))
	add(join("peer.labels", func(p P) {
		p.Labels = map[string]string{}
		for i := range 17 {
			p.Labels[fmt.Sprint(i)] = ""
		}
	}))
	add(config("config.max_peers", &bootstrapv1.Config{}, "max_peers"))
	add(config("config.max_peers", &bootstrapv1.Config{MaxPeers: 1001}))
	add(config("config.min_refill_candidates", &bootstrapv1.Config{MinRefillCandidates: math.MaxUint32}))
	add(config("config.lease", &bootstrapv1.Config{Lease: durationpb.New(-time.Second)}))
	add(config("config.lease", &bootstrapv1.Config{Lease: durationpb.New(25 * time.Hour)}))
	add(config("config.lease", &bootstrapv1.Config{}, "lease"))
	add(config("update_mask", &bootstrapv1.Config{MaxPeers: 1}, "peers"))
	add(group("a/b"))
	add(group("ä"))
	add(group(strings.Repeat("a", 65)))
	for _, tt := range tests {
		field, call := tt()
		err := call(t.Context())
		st := status.Convert(err)
		if st.Code() != codes.InvalidArgument || !strings.Contains(st.Message(), field+": ") {
			t.Errorf("%s: got %v", field, err)
			continue
		}
		if len(st.Details()) != 1 || st.Details()[0].(*errdetails.BadRequest).GetFieldViolations()[0].GetField() != field {
			t.Errorf("%s: details %v", field, st.Details())
		}
	}
	if list, err := svc.List(t.Context(), &bootstrapv1.ListRequest{}); err != nil || list.GetRoster().GetRevision() != 0 {
		t.Errorf("refused requests changed the roster: %v, %v", list, err)
	}
}

func TestInvalidIdsEverywhere(t *testing.T) {
	t.Parallel()
	svc := newService(t, memory.New(0), bootstrap.Options{})
	_, leave := svc.Leave(t.Context(), &bootstrapv1.LeaveRequest{Id: "x"})
	_, renew := svc.Renew(t.Context(), &bootstrapv1.RenewRequest{Id: "x"})
	_, refill := svc.Refill(t.Context(), &bootstrapv1.RefillRequest{})
	_, join := svc.Join(t.Context(), &bootstrapv1.JoinRequest{Group: "?"})
	for want, err := range map[string]error{"id: ": leave, "id: must": renew, "candidate: ": refill, "; peer: must": join} {
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want one with %q", err, want)
		}
	}
}

func TestLimitOfGroups(t *testing.T) {
	t.Parallel()
	svc := newService(t, memory.New(1), bootstrap.Options{})
	if _, err := svc.Join(t.Context(), &bootstrapv1.JoinRequest{Group: "a", Peer: testPeer(1, "a", 1)}); err != nil {
		t.Fatal(err)
	}
	_, err := svc.Join(t.Context(), &bootstrapv1.JoinRequest{Group: "b", Peer: testPeer(1, "a", 1)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a second group: %v", err)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	var got []*eventv1.Event
	svc := bootstrap.NewService(memory.New(0), bootstrap.Options{Emit: func(e *eventv1.Event) { got = append(got, e) }})
	for range 2 { // the second one only renews
		if _, err := svc.Join(t.Context(), &bootstrapv1.JoinRequest{Peer: testPeer(1, "a", 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := svc.Reset(t.Context(), &bootstrapv1.ResetRequest{}); err != nil {
		t.Fatal(err)
	}
	want := []*eventv1.Event{
		{What: &eventv1.Event_Roster{Roster: &eventv1.Roster{Group: "default", Revision: 1, Size: 1, MaxPeers: 2, Peers: []string{"a"}}}},
		{What: &eventv1.Event_Roster{Roster: &eventv1.Roster{Group: "default", Revision: 3, MaxPeers: 2}}},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// startWatch watches a group of the service until ctx ends.
func startWatch(ctx context.Context, svc *bootstrap.Service) (<-chan *bootstrapv1.Roster, <-chan error) {
	stream := &watchStream{ctx: ctx, sent: make(chan *bootstrapv1.Roster)}
	done := make(chan error, 1)
	go func() { done <- svc.Watch(&bootstrapv1.WatchRequest{}, stream) }()
	return stream.sent, done
}

// A crashed peer drops out when its lease ends, for List at once and for Watch though nobody calls.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, memory.New(0), bootstrap.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		sent, done := startWatch(ctx, svc)
		if r := <-sent; r.GetCount() != 0 {
			t.Errorf("%d peers at first", r.GetCount())
		}
		time.Sleep(300 * time.Millisecond) // the lease ends between two regular sweeps
		p := testPeer(1, "a", 1)
		if _, err := svc.Join(ctx, &bootstrapv1.JoinRequest{Peer: p}); err != nil {
			t.Fatal(err)
		}
		if r := <-sent; r.GetCount() != 1 {
			t.Errorf("%d peers after a join", r.GetCount())
		}
		time.Sleep(20 * time.Second)
		if _, err := svc.Renew(ctx, &bootstrapv1.RenewRequest{Id: p.GetId()}); err != nil {
			t.Fatal(err)
		}
		renewed := time.Now()
		if r := <-sent; r.GetCount() != 1 || !r.GetPeers()[0].GetExpiresAt().AsTime().Equal(renewed.Add(30*time.Second)) {
			t.Errorf("after a renewal: %v", r)
		}
		r := <-sent
		if after := time.Since(renewed); r.GetCount() != 0 || after < 30*time.Second || after > 30*time.Second+100*time.Millisecond {
			t.Errorf("%d peers after %v, want 0 after the lease of 30s", r.GetCount(), after)
		}
		cancel()
		if err := <-done; status.Code(err) != codes.Canceled {
			t.Errorf("watch ended with %v", err)
		}
	})
}

// List honours the end of a lease without the help of a sweeper.
func TestListHonoursLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := bootstrap.NewService(memory.New(0), bootstrap.Options{}) // not started
		if _, err := svc.Join(t.Context(), &bootstrapv1.JoinRequest{Peer: testPeer(1, "a", 1)}); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			wait time.Duration
			want uint32
		}{{30*time.Second - 1, 1}, {1, 0}} {
			time.Sleep(step.wait)
			resp, err := svc.List(t.Context(), &bootstrapv1.ListRequest{})
			if err != nil || resp.GetRoster().GetCount() != step.want {
				t.Errorf("%v, %v; want %d", resp, err, step.want)
			}
		}
	})
}

func TestCloseEndsWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, memory.New(0), bootstrap.Options{})
		sent, done := startWatch(t.Context(), svc)
		<-sent
		for range 2 {
			if err := svc.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-done; status.Code(err) != codes.Unavailable {
			t.Errorf("watch ended with %v", err)
		}
		if _, err := svc.Ping(t.Context(), &bootstrapv1.PingRequest{}); status.Code(err) != codes.Unavailable {
			t.Errorf("ping of a closed service: %v", err)
		}
	})
}

// A watcher that does not read holds up nobody and then gets the newest roster.
func TestSlowWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, memory.New(0), bootstrap.Options{})
		roomy(t, svc)
		ctx, cancel := context.WithCancel(t.Context())
		sent, done := startWatch(ctx, svc)
		synctest.Wait()
		const n = 50
		for i := range n {
			if _, err := svc.Join(ctx, &bootstrapv1.JoinRequest{Peer: testPeer(i, fmt.Sprint("p", i), 1)}); err != nil {
				t.Fatal(err)
			}
		}
		got := 0
		for r := range sent {
			got++
			if r.GetCount() == n {
				break
			}
		}
		if got > 3 {
			t.Errorf("%d rosters for %d changes that nobody read, want at most 3", got, n)
		}
		cancel()
		_ = <-done // that of the context
	})
}
