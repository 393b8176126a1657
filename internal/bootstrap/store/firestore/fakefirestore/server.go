package fakefirestore

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

// Server is one running fake. Its documents live as long as it does, also while it is down.
type Server struct {
	proxy  *storetest.Proxy
	direct string
	data   *database
	tasks  sync.WaitGroup

	reads, writes, streams atomic.Int64
}

// Start starts a server on a free port of 127.0.0.1. It ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{direct: l.Addr().String(), data: newDatabase()}
	srv := grpc.NewServer(
		grpc.WaitForHandlers(true),
		grpc.MaxRecvMsgSize(maxRequest),
		// Clients that look whether an idle stream is alive are welcome.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second}),
	)
	pb.RegisterFirestoreServer(srv, service{server: s})
	s.tasks.Go(func() { _ = srv.Serve(l) })
	t.Cleanup(func() {
		srv.Stop()
		s.tasks.Wait()
	})
	s.proxy = storetest.NewProxy(t, s.direct)
	return s
}

// Addr is the host:port to dial, to which the faults apply.
func (s *Server) Addr() string { return s.proxy.Addr() }

// Direct is another host:port of the same server, to which no faults apply.
func (s *Server) Direct() string { return s.direct }

// Down cuts all connections, and each new one at once.
func (s *Server) Down() { s.proxy.Down() }

// Slow holds back all that connections carry until Up or Down.
func (s *Server) Slow() { s.proxy.Slow() }

// Up ends the fault.
func (s *Server) Up() { s.proxy.Up() }

// Stats are what Google would put on the bill, and how many streams listen.
type Stats struct {
	Reads   int64 // documents, also those that are not there, and one for a query without result
	Writes  int64 // documents written or deleted
	Streams int64 // of Listen, which are open now
}

// Stats counts since Start.
func (s *Server) Stats() Stats {
	return Stats{Reads: s.reads.Load(), Writes: s.writes.Load(), Streams: s.streams.Load()}
}
