package bootstrap_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// BenchmarkWatchers measures how long it takes from a change until each of 1,000 watchers, gRPC streams over
// loopback on ten connections, has the new roster; one op is one change that all have seen:
//
//	go test -run '^$' -bench Watchers -benchtime 100x ./internal/bootstrap
func BenchmarkWatchers(b *testing.B) {
	const connections, each = 10, 100
	for _, kind := range []string{"memory", "bolt"} {
		b.Run(kind, func(b *testing.B) {
			svc := newService(b, openStore(b, kind), bootstrap.Options{})
			addr := serveBootstrap(b, svc)
			seen := make(chan time.Time, connections*each)
			var watchers sync.WaitGroup
			for range connections {
				client := bootstrapv1.NewBootstrapServiceClient(dial(b, addr))
				for range each {
					stream, err := client.Watch(b.Context(), &bootstrapv1.WatchRequest{})
					if err != nil {
						b.Fatal(err)
					}
					watchers.Go(func() {
						for {
							if _, err := stream.Recv(); err != nil {
								return // the service is closed
							}
							seen <- time.Now()
						}
					})
				}
			}
			all := func() []time.Time {
				at := make([]time.Time, 0, cap(seen))
				for range cap(seen) {
					at = append(at, <-seen)
				}
				return at
			}
			all() // the first rosters
			var took []time.Duration
			b.ResetTimer()
			for i := range b.N {
				began := time.Now()
				if _, err := svc.Join(b.Context(), joinRequest(i%2)); err != nil {
					b.Fatal(err)
				}
				for _, at := range all() {
					took = append(took, at.Sub(began))
				}
			}
			b.StopTimer()
			if err := svc.Close(); err != nil {
				b.Error(err)
			}
			watchers.Wait()
			slices.Sort(took)
			for _, p := range []int{50, 99, 100} {
				b.ReportMetric(took[(len(took)-1)*p/100].Seconds()*1000, fmt.Sprintf("ms/p%d", p))
			}
		})
	}
}
