package function_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"peerlab.example/peerlab/internal/bootstrap/apitest"
	"peerlab.example/peerlab/internal/bootstrap/function"
	"peerlab.example/peerlab/internal/bootstrap/gateway"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func inMemory(context.Context) (function.Store, error) { return memory.New(0), nil }

// serve puts a function behind a server of HTTP, and returns its URL.
func serve(t *testing.T, c function.Config) string {
	t.Helper()
	c.Log = zerolog.Nop()
	f := function.New(c)
	server := httptest.NewServer(f)
	t.Cleanup(func() {
		server.Close()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

// dial is a connection to the function at a URL.
func dial(t *testing.T, url string, s *node.Security) grpc.ClientConnInterface {
	t.Helper()
	base, err := gateway.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client, err := node.HTTPClient(network.System(), s, base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return gateway.NewConn(base, client, gateway.ConnOptions{PollInterval: 10 * time.Millisecond})
}

func TestCalls(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream %v", stream), func(t *testing.T) {
			t.Parallel()
			apitest.Run(t, func(t *testing.T) grpc.ClientConnInterface {
				return dial(t, serve(t, function.Config{Open: inMemory, Stream: stream}), nil)
			})
		})
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	apitest.RunHTTP(t, func(t *testing.T) string { return serve(t, function.Config{Open: inMemory}) })
}

// get asks the function without a server.
func get(t *testing.T, f http.Handler) int {
	t.Helper()
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/ping", nil))
	return w.Code
}

// TestOneClient has many first requests at once: the store is opened once, and kept.
func TestOneClient(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	f := function.New(function.Config{Log: zerolog.Nop(), Open: func(ctx context.Context) (function.Store, error) {
		opened.Add(1)
		return inMemory(ctx)
	}})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if code := get(t, f); code != http.StatusOK {
				t.Errorf("status %d", code)
			}
		})
	}
	wg.Wait()
	if n := opened.Load(); n != 1 {
		t.Errorf("the store was opened %d times", n)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if code := get(t, f); code != http.StatusServiceUnavailable {
		t.Errorf("status %d after the end", code)
	}
}

// TestStoreThatIsNotThereYet refuses requests until the store can be opened, and does not try with each.
func TestStoreThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		f := function.New(function.Config{Log: zerolog.Nop(), Open: func(ctx context.Context) (function.Store, error) {
			if tries++; tries < 3 {
				return nil, errors.New("no credentials")
			}
			return inMemory(ctx)
		}})
		for range 5 {
			if code := get(t, f); code != http.StatusServiceUnavailable {
				t.Errorf("status %d without a store", code)
			}
		}
		<-time.After(time.Second) // virtual
		if code := get(t, f); code != http.StatusServiceUnavailable || tries != 2 {
			t.Errorf("status %d after %d tries", code, tries)
		}
		<-time.After(time.Second)
		if code := get(t, f); code != http.StatusOK || tries != 3 {
			t.Errorf("status %d after %d tries", code, tries)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
}
