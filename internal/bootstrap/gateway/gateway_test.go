package gateway_test

import (
	"net/http/httptest"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/apitest"
	"peerlab.example/peerlab/internal/bootstrap/gateway"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a service over a store in memory, gRPC only.
func serve(t testing.TB) *node.Server { return serveWith(t, nil) }

// serveWith is serve with tokens; nil for none.
func serveWith(t testing.TB, security *node.Security) *node.Server {
	t.Helper()
	store := memory.New(0)
	service := bootstrap.NewService(store, bootstrap.Options{Log: zerolog.Nop()})
	server := node.NewServer(node.ServerConfig{Role: "bootstrap", Name: "bootstrap", Network: network.System(), Log: zerolog.Nop(), Security: security})
	bootstrapv1.RegisterBootstrapServiceServer(server, service)
	t.Cleanup(func() {
		if err := service.Close(); err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// serveHTTP starts a service with HTTP/JSON and returns its URL.
func serveHTTP(t testing.TB, o gateway.Options) string {
	t.Helper()
	return gatewayOf(t, serve(t), o)
}

// gatewayOf puts HTTP/JSON before a service, and returns its URL.
func gatewayOf(t testing.TB, s *node.Server, o gateway.Options) string {
	t.Helper()
	local, err := s.Local()
	if err != nil {
		t.Fatal(err)
	}
	h, err := gateway.NewHandler(local, o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		if err := local.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

func dial(t testing.TB, url string, o gateway.ConnOptions) *gateway.Conn {
	t.Helper()
	base, err := gateway.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client, err := node.HTTPClient(network.System(), nil, base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return gateway.NewConn(base, client, o)
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	apitest.Run(t, func(t *testing.T) grpc.ClientConnInterface {
		server := serve(t)
		if err := server.Start(t.Context(), "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		conn, err := node.Dial(network.System(), nil, server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	})
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	apitest.Run(t, func(t *testing.T) grpc.ClientConnInterface {
		return dial(t, serveHTTP(t, gateway.Options{}), gateway.ConnOptions{})
	})
}

func TestHTTPWithoutStreams(t *testing.T) {
	t.Parallel()
	apitest.Run(t, func(t *testing.T) grpc.ClientConnInterface {
		return dial(t, serveHTTP(t, gateway.Options{NoStreams: true}), gateway.ConnOptions{PollInterval: 10_000_000})
	})
}
