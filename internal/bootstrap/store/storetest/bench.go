package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Benchmark measures a store under a service that is called directly, so that stores can be
// compared by the same names. Join is the restart of a peer, which replaces its older entry: each
// call is a change. Renew is one as well; List is a read. All callers use one group.
func Benchmark(b *testing.B, open func(b *testing.B) Closer) {
	for _, goroutines := range []int{1, 16} { // per CPU
		calls := []struct {
			name string
			call func(b *testing.B, svc *bootstrap.Service, worker int) error
		}{{"Join", benchJoin}, {"Renew", benchRenew}, {"List", benchList}}
		for _, c := range calls {
			b.Run(fmt.Sprintf("%s/goroutines=%dxCPU", c.name, goroutines), func(b *testing.B) {
				s := open(b)
				defer func() { _ = s.Close() }()
				svc := bootstrap.NewService(s, bootstrap.Options{})
				defer func() { _ = svc.Close() }()
				_, err := svc.UpdateConfig(b.Context(), &bootstrapv1.UpdateConfigRequest{
					Config: &bootstrapv1.Config{MaxPeers: bootstrap.MaxPeers, Lease: durationpb.New(time.Hour)},
				})
				if err != nil {
					b.Fatal(err)
				}
				benchCalls(b, goroutines, func(worker int) error { return c.call(b, svc, worker) })
			})
		}
	}
}

func benchJoin(b *testing.B, svc *bootstrap.Service, worker int) error {
	p := Peer(worker)
	p.Id = uuid.NewString()
	_, err := svc.Join(b.Context(), &bootstrapv1.JoinRequest{Peer: p})
	return err
}

// benchRenew joins only once: Renew of a peer that is not held answers so.
func benchRenew(b *testing.B, svc *bootstrap.Service, worker int) error {
	resp, err := svc.Renew(b.Context(), &bootstrapv1.RenewRequest{Id: Peer(worker).GetId()})
	if err == nil && !resp.GetHeld() {
		_, err = svc.Join(b.Context(), &bootstrapv1.JoinRequest{Peer: Peer(worker)})
	}
	return err
}

func benchList(b *testing.B, svc *bootstrap.Service, _ int) error {
	_, err := svc.List(b.Context(), &bootstrapv1.ListRequest{})
	return err
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
