package memory_test

import (
	"testing"

	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

// BenchmarkStore has the names of all stores, so that they can be compared:
//
//	go test -run '^$' -bench Store ./internal/bootstrap/store/...
func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(*testing.B) storetest.Closer { return memory.New(0) })
}
