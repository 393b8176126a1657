package bootstrap_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// busyStore is a store in which others change a group before each of the first swaps, or
// in which all changes fail.
type busyStore struct {
	*memory.Store
	others int
	err    error
	tries  int
}

func (s *busyStore) CompareAndSwap(ctx context.Context, group string, revision uint64, r *bootstrapv1.Roster) error {
	s.tries++
	if s.err != nil {
		return s.err
	}
	if s.tries <= s.others {
		other := bootstrap.UpdateConfig(r, &bootstrapv1.Config{MaxPeers: uint32(2 + s.tries)}, time.Now())
		other = &bootstrapv1.Roster{Group: group, Revision: revision + 1, Config: other.GetConfig()}
		if err := s.Store.CompareAndSwap(ctx, group, revision, other); err != nil {
			return err
		}
	}
	return s.Store.CompareAndSwap(ctx, group, revision, r)
}

func TestChangeIsTriedAgainAfterConflicts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &busyStore{Store: memory.New(0), others: 12}
		svc := bootstrap.NewService(s, bootstrap.Options{})
		resp, err := svc.Join(t.Context(), &bootstrapv1.JoinRequest{Peer: testPeer(1, "a", 0)})
		if err != nil || !resp.GetHeld() || s.tries != 13 || resp.GetRoster().GetRevision() != 13 {
			t.Errorf("%v, %v after %d tries", resp, err, s.tries)
		}
	})
}

func TestChangeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &busyStore{Store: memory.New(0), err: bootstrap.ErrConflict}
		svc := bootstrap.NewService(s, bootstrap.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := svc.Join(ctx, &bootstrapv1.JoinRequest{Peer: testPeer(1, "a", 0)})
		if status.Code(err) != codes.DeadlineExceeded || s.tries > 1000 {
			t.Errorf("%v after %d tries", err, s.tries)
		}
	})
}

func TestFailingStore(t *testing.T) {
	t.Parallel()
	s := &busyStore{Store: memory.New(0), err: errors.New("no space left on device")}
	svc := bootstrap.NewService(s, bootstrap.Options{})
	_, err := svc.Join(t.Context(), &bootstrapv1.JoinRequest{Peer: testPeer(1, "a", 0)})
	if want := "change group default: no space left on device"; status.Code(err) != codes.Unavailable || status.Convert(err).Message() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := svc.List(t.Context(), &bootstrapv1.ListRequest{}); err != nil {
		t.Errorf("list: %v", err)
	}
}
