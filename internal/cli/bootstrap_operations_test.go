package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	"peerlab.example/peerlab/internal/metrics"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// moody is a store that fails while it is told to.
type moody struct {
	*memory.Store
	down atomic.Bool
}

func (s *moody) Healthy(ctx context.Context) error {
	if s.down.Load() {
		return errors.New("dial store.internal:2379 as admin: connection refused")
	}
	return s.Store.Healthy(ctx)
}

// TestHealthFollowsTheStore has a store that goes and comes back under a running service: /healthz, gRPC health, the
// metrics and Ping all say so.
func TestHealthFollowsTheStore(t *testing.T) {
	t.Parallel()
	store := &moody{Store: memory.New(10)}
	b, err := startBootstrap(t.Context(), bootstrapConfig{
		listen: "127.0.0.1:0", http: "127.0.0.1:0", store: store, network: network.System(), log: zerolog.Nop(), metrics: metrics.New(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	conn, err := node.Dial(network.System(), nil, b.server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	health, err := grpc_health_v1.NewHealthClient(conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{
		Service: bootstrapv1.BootstrapService_ServiceDesc.ServiceName,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		down    bool
		serving grpc_health_v1.HealthCheckResponse_ServingStatus
		code    int
		text    string
		ping    codes.Code
	}{
		{false, grpc_health_v1.HealthCheckResponse_SERVING, 200, "ok\n", codes.OK},
		{true, grpc_health_v1.HealthCheckResponse_NOT_SERVING, 503, "the store fails; the log says why\n", codes.Unavailable},
		{false, grpc_health_v1.HealthCheckResponse_SERVING, 200, "ok\n", codes.OK},
	} {
		store.down.Store(step.down)
		if r, err := health.Recv(); err != nil || r.GetStatus() != step.serving {
			t.Fatalf("down=%v: health is %v, %v", step.down, r, err)
		}
		if code, text := get(ctx, t, b.http.server.URL()+"/healthz"); code != step.code || text != step.text {
			t.Errorf("down=%v: /healthz answers %d %q", step.down, code, text)
		}
		if code, _ := get(ctx, t, b.http.server.URL()+"/livez"); code != http.StatusOK {
			t.Errorf("down=%v: /livez answers %d", step.down, code)
		}
		// The server is told before the metrics are.
		want := fmt.Sprintf("\npeerlab_healthy %d\n", map[bool]int{true: 0, false: 1}[step.down])
		for tries := 0; ; tries++ {
			if _, text := get(ctx, t, b.http.server.URL()+"/metrics"); strings.Contains(text, want) {
				break
			}
			if tries == 1000 {
				t.Fatalf("down=%v: no %q in the metrics", step.down, want)
			}
		}
		if _, err := bootstrapv1.NewBootstrapServiceClient(conn).Ping(ctx, &bootstrapv1.PingRequest{}); status.Code(err) != step.ping {
			t.Errorf("down=%v: Ping answers %v", step.down, err)
		}
	}
}

// TestEveryRequestHasARate asks for all that the address of --http has: what is refused, or is no call, counts as well, and
// what is a call counts once.
func TestEveryRequestHasARate(t *testing.T) {
	t.Parallel()
	security, err := node.LoadSecurity(node.SecurityConfig{Token: "a token of sixteen bytes"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path    string
		limited bool
	}{{"/metrics", true}, {"/v1/list", true}, {"/v1/list?grop=a", true}, {"/nothing", true}, {"/healthz", false}, {"/livez", false}} {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			const rate = 20
			b, err := startBootstrap(t.Context(), bootstrapConfig{
				listen: "127.0.0.1:0", http: "127.0.0.1:0", store: memory.New(10), network: network.System(), log: zerolog.Nop(), metrics: metrics.New(),
				security: security, operations: operations{limits: node.Limits{MaxRate: rate}},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = b.Close() }()
			refused := false
			for i := range 3000 {
				code, _ := get(t.Context(), t, b.http.server.URL()+tt.path)
				if refused = code == http.StatusTooManyRequests; refused && i < rate {
					t.Errorf("request %d is refused already", i+1)
				}
				if refused || !tt.limited && i > 10*rate {
					break
				}
			}
			if refused != tt.limited {
				t.Errorf("a flood of requests is refused: %v, want %v", refused, tt.limited)
			}
		})
	}
}

func get(ctx context.Context, t *testing.T, url string) (code int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
