package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const peerID = "11111111-1111-4111-8111-111111111111"

// scrape is the page of metrics as lines.
func scrape(t *testing.T, m *Metrics) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("scrape: %d, %v", w.Code, err)
	}
	return strings.Split(string(body), "\n")
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if err := missing(got, want...); err != nil {
		t.Error(err)
	}
}

// missing says which lines are not there, and what is.
func missing(got []string, want ...string) error {
	var errs []error
	for _, w := range want {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, w) }) {
			errs = append(errs, fmt.Errorf("no line begins with %s", w))
		}
	}
	if errs == nil {
		return nil
	}
	for _, line := range got {
		if strings.HasPrefix(line, "peerlab_") && !strings.Contains(line, "_bucket") {
			errs = append(errs, errors.New(line))
		}
	}
	return errors.Join(errs...)
}

// service runs a service with metrics until the test ends.
func service(t *testing.T, m *Metrics, store bootstrap.Store, limits node.Limits) *grpc.ClientConn {
	t.Helper()
	server := node.NewServer(node.ServerConfig{
		Role: "bootstrap", Network: network.System(), Log: zerolog.Nop(), Observer: m, Limits: limits,
	})
	svc := bootstrap.NewService(store, bootstrap.Options{Log: zerolog.Nop(), Meter: m, SweepInterval: 10 * time.Millisecond})
	bootstrapv1.RegisterBootstrapServiceServer(server, svc)
	if err := server.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	svc.Start()
	conn, err := node.Dial(network.System(), nil, server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range []func() error{conn.Close, svc.Close, server.Close} {
			if err := c(); err != nil {
				t.Error(err)
			}
		}
	})
	return conn
}

func TestMetricsTellOfCallsStreamsAndTheStore(t *testing.T) {
	t.Parallel()
	m := New()
	m.SetHealthy(true)
	conn := service(t, m, memory.New(1), node.Limits{MaxRequestBytes: 1000})
	client := bootstrapv1.NewBootstrapServiceClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	join := &bootstrapv1.JoinRequest{Group: "g", Peer: &bootstrapv1.Peer{Id: peerID, Name: "ann", Host: "10.0.0.1", Port: 1}}
	if _, err := client.Join(ctx, join); err != nil {
		t.Fatal(err)
	}
	watch, err := client.Watch(ctx, &bootstrapv1.WatchRequest{Group: "g"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	for want, call := range map[codes.Code]func() error{
		codes.ResourceExhausted: func() error {
			join.Group = "another"
			_, err := client.Join(ctx, join)
			return err
		},
		codes.Unimplemented: func() error {
			return conn.Invoke(ctx, "/what.a.stranger/Invented", &bootstrapv1.PingRequest{}, &bootstrapv1.PingResponse{})
		},
		codes.InvalidArgument: func() error {
			_, err := client.List(ctx, &bootstrapv1.ListRequest{Group: "no group!"})
			return err
		},
	} {
		if err := call(); status.Code(err) != want {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	// This one is refused by gRPC itself, before any interceptor.
	_, err = client.List(ctx, &bootstrapv1.ListRequest{Group: strings.Repeat("g", 2<<20)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a request of 2 MiB: %v", err)
	}

	const s = "/peerlab.bootstrap.v1.BootstrapService/"
	// A client has its answer a moment before the call is counted.
	if err := eventually(func() error {
		return missing(scrape(t, m),
			`peerlab_grpc_requests_total{code="OK",method="`+s+`Join"} 1`,
			`peerlab_grpc_requests_total{code="ResourceExhausted",method="`+s+`Join"} 1`,
			`peerlab_grpc_requests_total{code="ResourceExhausted",method="`+s+`List"} 1`,
			`peerlab_grpc_requests_total{code="InvalidArgument",method="`+s+`List"} 1`,
			`peerlab_grpc_requests_total{code="Unimplemented",method="(unknown)"} 1`,
			`peerlab_grpc_request_seconds_count{method="`+s+`Join"} 2`,
			`peerlab_grpc_streams_open{method="`+s+`Watch"} 1`,
			`peerlab_limit_hits_total{limit="max-groups"} 1`,
			`peerlab_limit_hits_total{limit="max-request-bytes"} 1`,
			`peerlab_bootstrap_store_seconds_count{operation="swap",result="ok"}`,
			`peerlab_bootstrap_store_seconds_count{operation="swap",result="too_many_groups"} 1`,
			`peerlab_healthy 1`, `peerlab_build_info{`, `go_goroutines`, `process_open_fds`,
		)
	}); err != nil {
		t.Error(err)
	}
}

func TestEndedLeasesAndRostersAreCounted(t *testing.T) {
	t.Parallel()
	m := New()
	conn := service(t, m, memory.New(10), node.Limits{})
	client := bootstrapv1.NewBootstrapServiceClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	config := &bootstrapv1.Config{Lease: bootstrap.DefaultConfig().GetLease(), MaxPeers: 2}
	config.Lease.Seconds, config.Lease.Nanos = 0, int32(bootstrap.MinLease)
	if _, err := client.UpdateConfig(ctx, &bootstrapv1.UpdateConfigRequest{Group: "g", Config: config}); err != nil {
		t.Fatal(err)
	}
	watch, err := client.Watch(ctx, &bootstrapv1.WatchRequest{Group: "g"})
	if err != nil {
		t.Fatal(err)
	}
	peer := &bootstrapv1.Peer{Id: peerID, Name: "ann", Host: "10.0.0.1", Port: 1}
	joined, err := client.Join(ctx, &bootstrapv1.JoinRequest{Group: "g", Peer: peer})
	if err != nil {
		t.Fatal(err)
	}
	for { // until the lease has ended; a reader that is slow does not see the roster between
		r, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if r.GetRoster().GetRevision() > joined.GetRoster().GetRevision() && r.GetRoster().GetCount() == 0 {
			break
		}
	}
	if err := eventually(func() error {
		for _, line := range scrape(t, m) {
			if line == "peerlab_bootstrap_leases_ended_total 1" {
				return nil
			}
		}
		return fmt.Errorf("no lease has ended")
	}); err != nil {
		t.Error(err)
	}
	wantLines(t, scrape(t, m), "peerlab_bootstrap_groups 1", "peerlab_bootstrap_sweeps_total")
}

// eventually asks again and again, for half a minute.
func eventually(try func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var err error
	for range 3000 {
		if err = try(); err == nil {
			return nil
		}
		<-tick.C
	}
	return err
}

// conflicting is a store in which another writer comes first, so many times.
type conflicting struct {
	bootstrap.Store
	left int
}

func (s *conflicting) CompareAndSwap(ctx context.Context, group string, revision uint64, r *bootstrapv1.Roster) error {
	if s.left > 0 {
		s.left--
		return bootstrap.ErrConflict
	}
	return s.Store.CompareAndSwap(ctx, group, revision, r)
}

func TestRetriesAreCounted(t *testing.T) {
	t.Parallel()
	store := memory.New(1)
	defer func() { _ = store.Close() }()
	m := New()
	svc := bootstrap.NewService(&conflicting{Store: store, left: 3}, bootstrap.Options{Log: zerolog.Nop(), Meter: m})
	if _, err := svc.UpdateConfig(t.Context(), &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{MaxPeers: 5}}); err != nil {
		t.Fatal(err)
	}
	wantLines(t, scrape(t, m),
		"peerlab_bootstrap_store_retries_total 3",
		`peerlab_bootstrap_store_seconds_count{operation="swap",result="conflict"} 3`,
		`peerlab_bootstrap_store_seconds_count{operation="swap",result="ok"} 1`)
}

func TestGroupsOfStrangersAreBounded(t *testing.T) {
	t.Parallel()
	m := New()
	m.Swept(map[string]int{"mine": 1})
	sizes := map[string]int{"mine": 1}
	for i := range 10_000 {
		sizes[fmt.Sprintf("stranger-%d", i)] = 2
	}
	m.Swept(sizes)
	series := 0
	lines := scrape(t, m)
	for _, line := range lines {
		if strings.HasPrefix(line, "peerlab_bootstrap_roster_peers{") {
			series++
		}
	}
	if series != maxGroups+1 {
		t.Errorf("%d series of groups, want %d", series, maxGroups+1)
	}
	wantLines(t, lines, "peerlab_bootstrap_groups 10001", "peerlab_bootstrap_peers 20001",
		`peerlab_bootstrap_roster_peers{group="mine"} 1`, `peerlab_bootstrap_roster_peers{group="(other)"} 19802`)
	m.Swept(map[string]int{"mine": 0, "new": 4})
	wantLines(t, scrape(t, m), `peerlab_bootstrap_roster_peers{group="new"} 4`, `peerlab_bootstrap_roster_peers{group="(other)"} 0`)
}
