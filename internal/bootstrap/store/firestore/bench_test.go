package firestore_test

import (
	"testing"

	"peerlab.example/peerlab/internal/bootstrap/store/firestore/fakefirestore"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

// BenchmarkStore has the names of all stores, so that they can be compared. It measures what the store and gRPC
// cost, against a server in this process; Firestore itself takes tens of milliseconds for a write:
//
//	go test -run '^$' -bench Store ./internal/bootstrap/store/...
func BenchmarkStore(b *testing.B) {
	addr := fakefirestore.Start(b).Addr()
	storetest.Benchmark(b, func(b *testing.B) storetest.Closer { return open(b, config(addr, 0)) })
}

// BenchmarkOpen is what a function pays for the store before it can answer its first call.
func BenchmarkOpen(b *testing.B) {
	c := config(fakefirestore.Start(b).Addr(), 0)
	for b.Loop() {
		if err := open(b, c).Close(); err != nil {
			b.Fatal(err)
		}
	}
}
