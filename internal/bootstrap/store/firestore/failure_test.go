package firestore_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore/fakefirestore"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// commits decides what becomes of the n-th write, from 1; invoke has the server make it.
type commits func(n int64, invoke func() error) error

// openWith opens a store whose writes pass through a function.
func openWith(t *testing.T, c firestore.Config, f commits) *firestore.Store {
	t.Helper()
	var count atomic.Int64
	conn, err := grpc.NewClient("passthrough:///"+c.Endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			invoke := func() error { return invoker(ctx, method, req, reply, cc, opts...) }
			if method != pb.Firestore_Commit_FullMethodName {
				return invoke()
			}
			return f(count.Add(1), invoke)
		}))
	if err != nil {
		t.Fatal(err)
	}
	c.Endpoint = ""
	s, err := firestore.Open(t.Context(), c, option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func joinPeer(i int) bootstrap.Change {
	now := time.Now()
	return func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return bootstrap.Join(r, storetest.Peer(i), now) }
}

func mustUpdate(t *testing.T, s *firestore.Store, group string, change bootstrap.Change) *bootstrapv1.Roster {
	t.Helper()
	_, r, err := s.Update(t.Context(), group, change)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustLoad(t *testing.T, s *firestore.Store, group string) *bootstrapv1.Roster {
	t.Helper()
	r, err := s.Load(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lostAnswer has the server make the first write, and then breaks the connection.
func lostAnswer(n int64, invoke func() error) error {
	err := invoke()
	if n == 1 && err == nil {
		return status.Error(codes.Unavailable, "connection reset")
	}
	return err
}

// A change whose answer was lost is found, and is not made twice.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	addr := fakefirestore.Start(t).Addr()
	t.Run("update", func(t *testing.T) {
		t.Parallel()
		s := openWith(t, config(addr, 0), lostAnswer)
		mustUpdate(t, s, "a", joinPeer(1))
		if r := mustLoad(t, s, "a"); r.GetRevision() != 1 || r.GetCount() != 1 {
			t.Errorf("%d peers at revision %d, want 1 at 1", r.GetCount(), r.GetRevision())
		}
	})
	t.Run("swap", func(t *testing.T) {
		t.Parallel()
		s := openWith(t, config(addr, 0), lostAnswer)
		before := mustLoad(t, s, "a")
		if err := s.CompareAndSwap(t.Context(), "a", before.GetRevision(), joinPeer(1)(before)); err != nil {
			t.Errorf("swap: %v", err)
		}
	})
	t.Run("swap and then overtaken", func(t *testing.T) {
		t.Parallel()
		c := config(addr, 0)
		other := open(t, c)
		s := openWith(t, c, func(n int64, invoke func() error) error {
			err := lostAnswer(n, invoke)
			if n == 1 {
				mustUpdate(t, other, "a", joinPeer(2))
			}
			return err
		})
		before := mustLoad(t, s, "a")
		err := s.CompareAndSwap(t.Context(), "a", before.GetRevision(), joinPeer(1)(before))
		if err == nil || errors.Is(err, bootstrap.ErrConflict) || !strings.Contains(err.Error(), "nobody knows") {
			t.Errorf("swap: %v; want that nobody knows", err)
		}
		if r := mustLoad(t, s, "a"); r.GetCount() != 2 {
			t.Errorf("%d peers, want 2", r.GetCount())
		}
	})
}

// A write that the service gives up under contention is made again, and is no conflict.
func TestAborted(t *testing.T) {
	t.Parallel()
	s := openWith(t, config(fakefirestore.Start(t).Addr(), 0), func(n int64, invoke func() error) error {
		if n%2 == 1 {
			return status.Error(codes.Aborted, "too much contention on these documents")
		}
		return invoke()
	})
	before := mustLoad(t, s, "a")
	if err := s.CompareAndSwap(t.Context(), "a", before.GetRevision(), joinPeer(1)(before)); err != nil {
		t.Errorf("swap: %v", err)
	}
	if s.Conflicts() != 0 {
		t.Errorf("%d conflicts, want none", s.Conflicts())
	}
}

// What will not change by waiting is told at once, as the service says it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	addr := fakefirestore.Start(t).Addr()
	for _, code := range []codes.Code{codes.PermissionDenied, codes.ResourceExhausted, codes.FailedPrecondition} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			c := config(addr, 0)
			c.CallTimeout = time.Hour
			s := openWith(t, c, func(int64, func() error) error { return status.Error(code, "for a reason") })
			_, _, err := s.Update(t.Context(), "a", joinPeer(1))
			if err == nil || err.Error() != "firestore: "+code.String()+": for a reason" {
				t.Errorf("update: %v", err)
			}
			before := mustLoad(t, s, "a")
			err = s.CompareAndSwap(t.Context(), "a", 0, joinPeer(1)(before))
			if err == nil || errors.Is(err, bootstrap.ErrConflict) {
				t.Errorf("swap: %v", err)
			}
		})
	}
}

// A replica that remembers an old roster is told of what is in Firestore.
func TestStaleMemory(t *testing.T) {
	t.Parallel()
	c := config(fakefirestore.Start(t).Addr(), 0)
	first, second := open(t, c), open(t, c)
	mustUpdate(t, first, "a", joinPeer(1))
	after := mustUpdate(t, second, "a", joinPeer(2))
	leave := func(i int) bootstrap.Change {
		return func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
			return bootstrap.Leave(r, storetest.Peer(i).GetId(), time.Now())
		}
	}
	before, same, err := first.Update(t.Context(), "a", leave(3))
	if err != nil || before != same || same.GetRevision() != after.GetRevision() {
		t.Errorf("a change of nothing: %v, revision %d; want %d", err, same.GetRevision(), after.GetRevision())
	}
	mustUpdate(t, second, "a", bootstrap.Reset)
	mustUpdate(t, second, "a", joinPeer(3))
	if r := mustUpdate(t, first, "a", leave(3)); r.GetRevision() != 5 || r.GetCount() != 0 {
		t.Errorf("a leave: %d peers at revision %d, want none at 5", r.GetCount(), r.GetRevision())
	}
	if err := first.CompareAndSwap(t.Context(), "a", after.GetRevision(), joinPeer(4)(after)); !errors.Is(err, bootstrap.ErrConflict) {
		t.Errorf("a swap from an old revision: %v", err)
	}
	mustUpdate(t, second, "a", joinPeer(1))
	now := mustLoad(t, second, "a")
	if err := first.CompareAndSwap(t.Context(), "a", now.GetRevision(), joinPeer(2)(now)); err != nil {
		t.Errorf("a swap from a revision that only the other replica has seen: %v", err)
	}
}
