package node

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/network"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	nodev1 "peerlab.example/peerlab/proto/peerlab/node/v1"
)

// from is the context of a call from an address.
func from(t *testing.T, addr string) context.Context {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return peer.NewContext(t.Context(), &peer.Peer{Addr: a})
}

// exceeded is the limit that an error names, and when it may be tried again.
func exceeded(err error) (limit string, retry time.Duration) {
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.QuotaFailure:
			limit = d.GetViolations()[0].GetSubject()
		case *errdetails.RetryInfo:
			retry = d.GetRetryDelay().AsDuration()
		}
	}
	return limit, retry
}

func TestRateByClientAndOfAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hits := map[string]int{}
		l := newLimiter(Limits{MaxRate: 10, MaxTotalRate: 25}, func(limit string) { hits[limit]++ })
		accepted := func(addr string, calls int) (n int, last error) {
			for range calls {
				if err := l.call(clientOf(from(t, addr))); err != nil {
					last = err
				} else {
					n++
				}
			}
			return n, last
		}
		n, err := accepted("192.0.2.1:1000", 100)
		limit, retry := exceeded(err)
		if n != 10 || status.Code(err) != codes.ResourceExhausted || limit != "max-rate" || retry <= 0 || retry > 100*time.Millisecond {
			t.Errorf("one client: %d of 100 calls, then %v (%s, retry after %v)", n, err, limit, retry)
		}
		if !strings.Contains(err.Error(), "--max-rate") || !strings.Contains(err.Error(), "192.0.2.1 ") {
			t.Errorf("%v names neither the setting nor the client", err)
		}
		// Another port is the same client; another address is not, and finds its full measure.
		if n, _ := accepted("192.0.2.1:2000", 1); n != 0 {
			t.Error("the client got more from another port")
		}
		if n, _ := accepted("192.0.2.2:1", 10); n != 10 {
			t.Errorf("the second client: %d of 10", n)
		}
		n, err = accepted("192.0.2.3:1", 10)
		if limit, retry := exceeded(err); n != 5 || limit != "max-total-rate" || retry <= 0 {
			t.Errorf("all clients: %d of 10, then %v (%s, retry after %v)", n, err, limit, retry)
		}
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		if n, _ := accepted("192.0.2.1:1", 100); n != 10 {
			t.Errorf("a second later: %d of 100, want 10", n)
		}
		if hits["max-rate"] != 90+1+90 || hits["max-total-rate"] != 5 {
			t.Errorf("hits are %v", hits)
		}
	})
}

func TestClientsAreToldApartByAddress(t *testing.T) {
	t.Parallel()
	forwarded := func(ctx context.Context, value string) context.Context {
		return metadata.NewIncomingContext(ctx, metadata.Pairs("x-forwarded-for", value))
	}
	for _, tt := range []struct {
		name string
		ctx  context.Context
		want string
	}{
		{"IPv4", from(t, "192.0.2.1:9"), "192.0.2.1"},
		{"IPv4 in IPv6", from(t, "[::ffff:192.0.2.1]:9"), "192.0.2.1"},
		{"a network of IPv6", from(t, "[2001:db8:1:2:3::4]:9"), "2001:db8:1:2::/64"},
		{"loopback of IPv6", from(t, "[::1]:9"), "::1"},
		{"what a stranger claims", forwarded(from(t, "192.0.2.1:9"), "198.51.100.7"), "192.0.2.1"},
		{"no address", t.Context(), "unknown"},
	} {
		if got := clientOf(tt.ctx); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A request that becomes a call through Local is taken from the rate once.
func TestARequestIsTakenOnce(t *testing.T) {
	t.Parallel()
	srv, _ := limited(t, Limits{MaxRate: 3})
	local, err := srv.Local()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = local.Close() }()
	refused := 0
	for range 1000 { // more than anybody can make in the time that it takes to earn as many
		if err := srv.Admit("192.0.2.1:1000"); status.Code(err) == codes.ResourceExhausted {
			refused++
		}
		if _, err := nodev1.NewNodeServiceClient(local).Version(t.Context(), &nodev1.VersionRequest{}); err != nil {
			t.Fatalf("a call through Local: %v", err)
		}
	}
	if refused == 0 {
		t.Error("no request was refused")
	}
}

func TestClientsAreBounded(t *testing.T) {
	t.Parallel()
	c := newClients(1)
	first := c.of("first")
	for i := range 3 * maxClients {
		c.of(fmt.Sprint("client ", i))
		if i%100 == 0 && c.of("first") != first {
			t.Fatal("one that is seen all the time was forgotten")
		}
	}
	if len(c.byKey) != maxClients || c.order.Len() != maxClients {
		t.Errorf("%d and %d clients are kept, want %d", len(c.byKey), c.order.Len(), maxClients)
	}
}

// limited is a running server with limits.
func limited(t *testing.T, l Limits) (*Server, *hits) {
	t.Helper()
	h := &hits{n: map[string]int{}}
	srv := NewServer(ServerConfig{
		Role: "bootstrap", Network: network.System(), Log: zerolog.Nop(), Limits: l, Observer: h, Events: event.New("n", 16),
	})
	if err := srv.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return srv, h
}

// hits is an Observer that counts the limits.
type hits struct {
	noObserver
	mu sync.Mutex
	n  map[string]int // guarded by mu
}

func (h *hits) LimitHit(limit string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n[limit]++
}

func (h *hits) of(limit string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n[limit]
}

// dial connects to a server until the test ends.
func dial(t *testing.T, srv *Server, s *Security) *grpc.ClientConn {
	t.Helper()
	conn, err := Dial(network.System(), s, srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestARequestTooLargeNamesTheLimit(t *testing.T) {
	t.Parallel()
	srv, h := limited(t, Limits{MaxRequestBytes: 100})
	conn := dial(t, srv, nil)
	request := func(n int) *eventv1.WatchEventsRequest {
		return &eventv1.WatchEventsRequest{Kinds: []string{strings.Repeat("k", n)}}
	}
	// As a call: any message with as many bytes in a field that is unknown there.
	var answer nodev1.VersionResponse
	const version = nodev1.NodeService_Version_FullMethodName
	if err := conn.Invoke(t.Context(), version, request(90), &answer); err != nil {
		t.Errorf("90 bytes: %v", err)
	}
	err := conn.Invoke(t.Context(), version, request(200), &answer)
	if limit, _ := exceeded(err); status.Code(err) != codes.ResourceExhausted || limit != "max-request-bytes" || !strings.Contains(err.Error(), "has more than 100 bytes: the limit is set by --max-request-bytes") {
		t.Errorf("200 bytes: %v", err)
	}
	stream, err := eventv1.NewEventServiceClient(conn).WatchEvents(t.Context(), request(200))
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	if limit, _ := exceeded(err); status.Code(err) != codes.ResourceExhausted || limit != "max-request-bytes" {
		t.Errorf("a stream with 200 bytes: %v", err)
	}
	// gRPC refuses to read what is much longer, in words of its own; it counts all the same.
	err = conn.Invoke(t.Context(), version, request(2<<20), &answer)
	counted := soon(func() bool { return h.of("max-request-bytes") == 3 }) // when the call is over there, too
	if status.Code(err) != codes.ResourceExhausted || !counted {
		t.Errorf("2 MiB: %v, %d hits", err, h.of("max-request-bytes"))
	}
}

// soon waits until something is so, for at most a minute, and reports whether it is.
func soon(is func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(time.Minute); !is(); <-tick.C {
		if time.Now().After(late) {
			return false
		}
	}
	return true
}

func TestWatchesAreBounded(t *testing.T) {
	t.Parallel()
	srv, h := limited(t, Limits{MaxWatches: 2})
	client := eventv1.NewEventServiceClient(dial(t, srv, nil))
	watch := func() (cancel func(), err error) {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := client.WatchEvents(ctx, &eventv1.WatchEventsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		srv.cfg.Events.Emit(&eventv1.Event{What: &eventv1.Event_Fault{Fault: &eventv1.Fault{}}})
		_, err = stream.Recv()
		return cancel, err
	}
	first, err := watch()
	if err != nil {
		t.Fatal(err)
	}
	second, err := watch()
	if err != nil {
		t.Fatal(err)
	}
	defer second()
	_, err = watch()
	if limit, _ := exceeded(err); limit != "max-watches" || !strings.Contains(err.Error(), "--max-watches") || h.of("max-watches") != 1 {
		t.Errorf("the third: %v", err)
	}
	first()
	soon(func() bool { return srv.limits.watches.Load() < 2 }) // the server knows that the first is over
	third, err := watch()
	if err != nil {
		t.Errorf("one after the first ended: %v", err)
	}
	third()
}

func TestHealthIsExempt(t *testing.T) {
	t.Parallel()
	srv, _ := limited(t, Limits{MaxRate: 1, MaxTotalRate: 1, MaxWatches: 1})
	srv.SetServing(true)
	health := grpc_health_v1.NewHealthClient(dial(t, srv, nil))
	for range 50 {
		if _, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		s, err := health.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
	}
}
