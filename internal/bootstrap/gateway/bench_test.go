package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"peerlab.example/peerlab/internal/bootstrap/gateway"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// BenchmarkAPI compares calls over gRPC and over HTTP/JSON with a bare echo of each that sends and
// receives as many bytes, on loopback, store in memory, a roster of two peers:
//
//	go test -run '^$' -bench API -benchtime 1s -count 3 ./internal/bootstrap/gateway
//
// Renew and Join change the roster with each call.
func BenchmarkAPI(b *testing.B) {
	for _, goroutines := range []int{1, 16} { // per CPU
		b.Run(fmt.Sprintf("goroutines=%dxCPU", goroutines), func(b *testing.B) {
			server := serve(b)
			if err := server.Start(b.Context(), "127.0.0.1:0"); err != nil {
				b.Fatal(err)
			}
			direct, err := node.Dial(network.System(), nil, server.Addr())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = direct.Close() }()
			for _, call := range calls() {
				b.Run("gRPC/"+call.name, func(b *testing.B) { measure(b, goroutines, direct, call) })
				b.Run("gRPC/echo as "+call.name, func(b *testing.B) { echoGRPC(b, goroutines, call) })
				b.Run("HTTP/"+call.name, func(b *testing.B) {
					measure(b, goroutines, dial(b, serveHTTP(b, gateway.Options{}), gateway.ConnOptions{}), call)
				})
				b.Run("HTTP/echo as "+call.name, func(b *testing.B) { echoHTTP(b, goroutines, call) })
			}
		})
	}
}

type benchCall struct {
	name    string
	request proto.Message
	make    func(ctx context.Context, c bootstrapv1.BootstrapServiceClient, n int64) error
	answer  proto.Message // of the same size as a real one
}

func calls() []benchCall {
	peer := func(n int64) *bootstrapv1.Peer {
		return &bootstrapv1.Peer{
			Id: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), Name: "bench", Host: "127.0.0.1", Port: 7000, Protocol: "memberlist",
		}
	}
	roster := &bootstrapv1.Roster{Group: "default", Revision: 1000, Count: 2, Peers: []*bootstrapv1.Peer{peer(1), peer(2)}}
	return []benchCall{
		{"List", &bootstrapv1.ListRequest{}, func(ctx context.Context, c bootstrapv1.BootstrapServiceClient, _ int64) error {
			_, err := c.List(ctx, &bootstrapv1.ListRequest{})
			return err
		}, &bootstrapv1.ListResponse{Roster: roster}},
		{"Renew", &bootstrapv1.RenewRequest{Id: peer(1).GetId()}, func(ctx context.Context, c bootstrapv1.BootstrapServiceClient, _ int64) error {
			_, err := c.Renew(ctx, &bootstrapv1.RenewRequest{Id: peer(1).GetId()})
			return err
		}, &bootstrapv1.RenewResponse{Roster: roster}},
		{"Join", &bootstrapv1.JoinRequest{Peer: peer(1)}, func(ctx context.Context, c bootstrapv1.BootstrapServiceClient, n int64) error {
			_, err := c.Join(ctx, &bootstrapv1.JoinRequest{Peer: peer(n)}) // one address: each replaces the one before
			return err
		}, &bootstrapv1.JoinResponse{Roster: roster}},
	}
}

// parallel measures calls from goroutines per CPU.
func parallel(b *testing.B, goroutines int, call func(n int64) error) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(goroutines)
	var n atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := call(n.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func measure(b *testing.B, goroutines int, conn grpc.ClientConnInterface, call benchCall) {
	client := bootstrapv1.NewBootstrapServiceClient(conn)
	for i := range int64(2) {
		p := &bootstrapv1.Peer{Id: fmt.Sprintf("00000000-0000-4000-9000-%012d", i), Name: "old", Host: "127.0.0.1", Port: uint32(7000 + i)}
		if _, err := client.Join(b.Context(), &bootstrapv1.JoinRequest{Peer: p}); err != nil {
			b.Fatal(err)
		}
	}
	parallel(b, goroutines, func(n int64) error { return call.make(b.Context(), client, n) })
}

func echoGRPC(b *testing.B, goroutines int, call benchCall) {
	answer := wrapperspb.Bytes(make([]byte, proto.Size(call.answer)))
	handler := func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		return answer, decode(&wrapperspb.BytesValue{})
	}
	server := node.NewServer(node.ServerConfig{Role: "bootstrap", Name: "echo", Network: network.System()})
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Echo", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Echo", Handler: handler}},
	}, struct{}{})
	if err := server.Start(b.Context(), "127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	conn, err := node.Dial(network.System(), nil, server.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	in := wrapperspb.Bytes(make([]byte, proto.Size(call.request)))
	parallel(b, goroutines, func(int64) error {
		return conn.Invoke(b.Context(), "/bench.Echo/Echo", in, &wrapperspb.BytesValue{})
	})
}

func echoHTTP(b *testing.B, goroutines int, call benchCall) {
	request, err := protojson.Marshal(call.request)
	if err != nil {
		b.Fatal(err)
	}
	answer, err := protojson.Marshal(call.answer)
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}))
	defer server.Close()
	// As the client of the service has it.
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: max(8, goroutines*runtime.GOMAXPROCS(0))}}
	defer client.CloseIdleConnections()
	parallel(b, goroutines, func(int64) error {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL, bytes.NewReader(request))
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return err
	})
}
