package storetest

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// peerTimeout is what a peer gives each of its calls, with all retries.
const peerTimeout = 2 * time.Second

// Patience checks that callers learn from a store that would wait for an hour why it does not work: those with a deadline
// before it is over, those without one as soon as the store knows. The backend of the store is well at first, and remains
// broken.
func Patience(t *testing.T, s Closer, f Faults) {
	alone, replicated := serve(t, s), bootstrap.Failover(serve(t, s), serve(t, s))
	for _, fault := range []struct {
		name   string
		inject func()
	}{{"slow", f.Slow}, {"down", f.Down}} {
		fault.inject()
		wantReasons(t, fault.name, alone.Conn)
		wantReasons(t, fault.name+", with two replicas", replicated)
		ctx, cancel := context.WithTimeout(t.Context(), 2*peerTimeout)
		err := s.CompareAndSwap(ctx, "b", 0, join(&bootstrapv1.Roster{Group: "b"}, 1))
		if bad := unclear(ctx, err); bad != "" {
			t.Errorf("swap while the backend is %s: %v: %s", fault.name, err, bad)
		}
		cancel()
	}
	// It is known by now that nobody answers.
	if _, err := s.Load(t.Context(), "a"); unclear(t.Context(), err) != "" {
		t.Errorf("load without a deadline: %v", err)
	}
}

// serve has a service over a store on loopback, for the time of the test.
func serve(t *testing.T, s bootstrap.Store) bootstrap.Endpoint {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	bootstrapv1.RegisterBootstrapServiceServer(server, bootstrap.NewService(s, bootstrap.Options{}))
	var tasks sync.WaitGroup
	tasks.Go(func() { _ = server.Serve(l) })
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		tasks.Wait()
	})
	return bootstrap.Endpoint{Name: l.Addr().String(), Conn: conn}
}

// wantReasons has a peer ask for a roster, join, and ask for health.
func wantReasons(t *testing.T, fault string, conn grpc.ClientConnInterface) {
	t.Helper()
	c := bootstrap.NewClient(conn, bootstrap.ClientOptions{Timeout: peerTimeout})
	var wg sync.WaitGroup
	for name, call := range map[string]func() error{
		"list": func() error { _, err := c.List(t.Context(), &bootstrapv1.ListRequest{Group: "a"}); return err },
		"join": func() error {
			_, err := c.Join(t.Context(), &bootstrapv1.JoinRequest{Group: "b", Peer: Peer(1)})
			return err
		},
		"ping": func() error { _, err := c.Ping(t.Context(), &bootstrapv1.PingRequest{}); return err },
	} {
		wg.Go(func() {
			err := call()
			for try := 1; try < 5 && !hasReason(err); try++ {
				err = call() // a busy machine may have needed more time than the store left
			}
			if !hasReason(err) {
				t.Errorf("%s while the backend is %s: %v; want UNAVAILABLE with the reason", name, fault, err)
			}
		})
	}
	wg.Wait()
}

// hasReason reports whether an error says that the store fails, and why.
func hasReason(err error) bool {
	return status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), "gave no answer") && !strings.Contains(err.Error(), "Error while dialing")
}
