package node

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// part is something that fails when it is told to.
type part struct {
	mu   sync.Mutex
	err  error         // guarded by mu
	slow time.Duration // guarded by mu
	deaf bool          // guarded by mu; it does not hear that its time is over
	n    int           // guarded by mu; looks
}

func (p *part) set(err error, slow time.Duration, deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err, p.slow, p.deaf = err, slow, deaf
}

func (p *part) check(ctx context.Context) error {
	p.mu.Lock()
	err, slow, deaf := p.err, p.slow, p.deaf
	p.n++
	p.mu.Unlock()
	if deaf {
		time.Sleep(slow) //nolint:forbidigo // virtual time; it is the behaviour that is tested
		return err
	}
	select {
	case <-time.After(slow):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// healthz is the answer of a handler.
func healthz(t *testing.T, h http.Handler) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestWatchdogTurnsBadAndGoodAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &part{}
		var changes []bool // of the watchdog's goroutine; read when it waits
		w := NewWatchdog(WatchdogConfig{
			What: "store", Check: store.check, Changed: func(ok bool) { changes = append(changes, ok) }, Log: zerolog.Nop(),
		})
		defer func() { _ = w.Close() }()
		if code, text := healthz(t, w.Handler()); code != http.StatusServiceUnavailable || text != "starting" {
			t.Errorf("before the start: %d %q", code, text)
		}
		w.Start()
		for _, step := range []struct {
			name string
			err  error
			slow time.Duration
			deaf bool
			code int
			text string
		}{
			{name: "all is well", code: 200, text: "ok"},
			{name: "down", err: errors.New("dial store.internal:2379 as admin: refused"), code: 503, text: "the store fails; the log says why"},
			{name: "back", code: 200, text: "ok"},
			{name: "slow", slow: 10 * time.Second, code: 503, text: "the store does not answer within 1s"},
			{name: "back from slow", code: 200, text: "ok"},
			{name: "deaf", slow: time.Minute, deaf: true, code: 503, text: "the store does not answer within 1s"},
		} {
			store.set(step.err, step.slow, step.deaf)
			// A look a second, and a second for its answer.
			time.Sleep(2*time.Second + time.Millisecond) //nolint:forbidigo // virtual time
			synctest.Wait()
			if code, text := healthz(t, w.Handler()); code != step.code || text != step.text {
				t.Errorf("%s: %d %q, want %d %q", step.name, code, text, step.code, step.text)
			}
		}
		want := []bool{true, false, true, false, true, false}
		if len(changes) != len(want) {
			t.Errorf("changes %v, want %v", changes, want)
		}
		for i := range min(len(changes), len(want)) {
			if changes[i] != want[i] {
				t.Errorf("changes %v, want %v", changes, want)
			}
		}
	})
}

func TestWatchdogLooksEachSecondAndDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &part{}
		w := NewWatchdog(WatchdogConfig{What: "store", Check: store.check, Changed: func(bool) {}, Log: zerolog.Nop()})
		w.Start()
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		synctest.Wait()
		store.mu.Lock()
		n := store.n
		store.mu.Unlock()
		if n < 60 || n > 76 {
			t.Errorf("%d looks in a minute, want one each 0.8 to 1 s", n)
		}
		w.Drain()
		if code, text := healthz(t, w.Handler()); code != http.StatusServiceUnavailable || !strings.Contains(text, "draining") {
			t.Errorf("while draining: %d %q", code, text)
		}
		if code, text := healthz(t, Alive()); code != http.StatusOK || text != "ok" {
			t.Errorf("alive: %d %q", code, text)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestHealthStreamsSeeTheWatchdog is over real gRPC: who watches health is told of each change, of the whole server
// and of each service.
func TestHealthStreamsSeeTheWatchdog(t *testing.T) {
	t.Parallel()
	srv, _ := startServer(t, nil)
	store := &part{}
	w := NewWatchdog(WatchdogConfig{
		What: "store", Check: store.check, Changed: srv.SetServing, Every: 5 * time.Millisecond, Log: zerolog.Nop(),
	})
	defer func() { _ = w.Close() }()
	w.Start()
	health := grpc_health_v1.NewHealthClient(dial(t, srv, nil))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	const serving, not = grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING
	var streams []grpc_health_v1.Health_WatchClient
	for _, service := range []string{"", "peerlab.node.v1.NodeService"} {
		s, err := health.Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	see := func(want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for i, s := range streams {
			if r, err := s.Recv(); err != nil || r.GetStatus() != want {
				t.Fatalf("stream %d: %v, %v, want %v", i, r, err, want)
			}
		}
	}
	see(serving)
	store.set(errors.New("down"), 0, false)
	see(not)
	store.set(nil, 0, false)
	see(serving)
	w.Drain()
	srv.Drain()
	see(not)
	srv.SetServing(true) // too late
	r, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil || r.GetStatus() != not {
		t.Errorf("after Drain: %v, %v", r, err)
	}
}
