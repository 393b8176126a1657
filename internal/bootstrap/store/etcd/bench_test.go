package etcd_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"

	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

// BenchmarkStore measures the store against an etcd of one member in this process, which writes to the disk:
//
//	go test -run '^$' -bench Store ./internal/bootstrap/store/...
func BenchmarkStore(b *testing.B) {
	addr := startServer(b, func(cfg *embed.Config) { cfg.UnsafeNoFsync = false })
	var stores atomic.Int64
	storetest.Benchmark(b, func(b *testing.B) storetest.Closer {
		return open(b, etcd.Config{Endpoints: []string{addr}, Prefix: fmt.Sprint("bench/", stores.Add(1))})
	})
}
