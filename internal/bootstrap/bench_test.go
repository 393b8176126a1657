package bootstrap_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// BenchmarkService compares calls of the service with a bare grpc-go unary call which sends
// and receives one field of bytes, of the same sizes, from the same number of goroutines
// over one loopback TCP connection each:
//
//	go test -run '^$' -bench Service -benchtime 3s -count 5 ./internal/bootstrap
//
// Join is a restart, which replaces the peer's own older entry, so that each call changes the
// roster, and on bolt waits for the disk.
func BenchmarkService(b *testing.B) {
	for _, goroutines := range []int{1, 16} { // per CPU
		b.Run(fmt.Sprintf("goroutines=%dxCPU", goroutines), func(b *testing.B) {
			for _, kind := range []string{"memory", "bolt"} {
				s := openStore(b, kind)
				svc := newService(b, s, bootstrap.Options{})
				roomy(b, svc)
				addr := serveBootstrap(b, svc)
				for worker := range 2 {
					join(b, svc, worker)
				}
				list, _ := svc.List(b.Context(), &bootstrapv1.ListRequest{})
				b.Run("Echo/as=List", func(b *testing.B) { benchEcho(b, goroutines, &bootstrapv1.ListRequest{}, list) })
				b.Run("List/"+kind, func(b *testing.B) { benchList(b, goroutines, addr) })
				var held *bootstrapv1.JoinResponse
				for worker := range goroutines * runtime.GOMAXPROCS(0) {
					held = join(b, svc, worker)
				}
				b.Run("Echo/as=Join", func(b *testing.B) { benchEcho(b, goroutines, joinRequest(0), held) })
				b.Run("Join/"+kind, func(b *testing.B) { benchJoin(b, goroutines, addr, s) })
			}
		})
	}
}

func joinRequest(worker int) *bootstrapv1.JoinRequest {
	p := testPeer(worker, fmt.Sprintf("worker%03d", worker), 0)
	p.Id, p.JoinedAt = uuid.NewString(), nil
	return &bootstrapv1.JoinRequest{Peer: p}
}

func join(b *testing.B, svc *bootstrap.Service, worker int) *bootstrapv1.JoinResponse {
	b.Helper()
	resp, err := svc.Join(b.Context(), joinRequest(worker))
	if err != nil {
		b.Fatal(err)
	}
	return resp
}

// benchCalls measures calls from goroutines per CPU.
func benchCalls(b *testing.B, goroutines int, call func(worker int) error) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(goroutines)
	var workers atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		worker := int(workers.Add(1)) - 1
		for pb.Next() {
			if err := call(worker); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func benchList(b *testing.B, goroutines int, addr string) {
	client := bootstrapv1.NewBootstrapServiceClient(dial(b, addr))
	benchCalls(b, goroutines, func(int) error {
		_, err := client.List(b.Context(), &bootstrapv1.ListRequest{})
		return err
	})
}

func benchJoin(b *testing.B, goroutines int, addr string, s bootstrap.Store) {
	disk, durable := s.(interface{ Commits() uint64 })
	var before uint64
	if durable {
		before = disk.Commits()
	}
	client := bootstrapv1.NewBootstrapServiceClient(dial(b, addr))
	benchCalls(b, goroutines, func(worker int) error {
		_, err := client.Join(b.Context(), joinRequest(worker))
		return err
	})
	if durable {
		b.ReportMetric(float64(b.N)/float64(disk.Commits()-before), "joins/commit")
	}
}

func benchEcho(b *testing.B, goroutines int, request, response proto.Message) {
	answer := ofSize(response)
	handler := func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := &wrapperspb.BytesValue{}
		if err := decode(in); err != nil {
			return nil, err
		}
		return answer, nil
	}
	addr := serve(b, func(srv *grpc.Server) {
		srv.RegisterService(&grpc.ServiceDesc{
			ServiceName: "bench.Echo",
			HandlerType: (*any)(nil),
			Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: handler}},
		}, struct{}{})
	})
	conn := dial(b, addr)
	in := ofSize(request)
	benchCalls(b, goroutines, func(int) error {
		return conn.Invoke(b.Context(), "/bench.Echo/Echo", in, &wrapperspb.BytesValue{})
	})
}

// ofSize is a message that is as long on the wire as m, to two bytes.
func ofSize(m proto.Message) *wrapperspb.BytesValue {
	return wrapperspb.Bytes(make([]byte, max(0, proto.Size(m)-3)))
}
