package bolt_test

import (
	"path/filepath"
	"testing"

	"peerlab.example/peerlab/internal/bootstrap/store/bolt"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

// BenchmarkStore has the names of all stores, so that they can be compared:
//
//	go test -run '^$' -bench Store ./internal/bootstrap/store/...
func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(b *testing.B) storetest.Closer {
		s, err := bolt.Open(filepath.Join(b.TempDir(), "roster.db"), 0)
		if err != nil {
			b.Fatal(err)
		}
		return s
	})
}
