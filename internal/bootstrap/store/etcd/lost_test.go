package etcd_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// lostAnswer runs a change of which etcd makes the transaction and the answer is lost, as the connection ends.
// Then, before the store can look, others change the group too.
func lostAnswer(t *testing.T, change func(s *etcd.Store) error, others ...bootstrap.Change) (s *etcd.Store, err error) {
	t.Helper()
	addr := startServer(t)
	proxy := storetest.NewProxy(t, addr)
	s = open(t, etcd.Config{Endpoints: []string{proxy.Addr()}, CallTimeout: 20 * time.Second})
	other := open(t, etcd.Config{Endpoints: []string{addr}})
	mustUpdate(t, s, "a", resize(10))
	w := follow(t, other, "a")
	w.until(1)
	proxy.Mute()
	done := make(chan error, 1)
	go func() { done <- change(s) }()
	w.until(2)
	proxy.Down()
	for _, c := range others {
		mustUpdate(t, other, "a", c)
	}
	proxy.Up()
	return s, <-done
}

func wantRevision(t *testing.T, s *etcd.Store, want uint64) {
	t.Helper()
	if r, err := s.Load(t.Context(), "a"); err != nil || r.GetRevision() != want || !bootstrap.Held(r, storetest.Peer(1).GetId()) {
		t.Errorf("revision %d of %v, %v; want %d with peer 1", r.GetRevision(), r, err, want)
	}
}

func TestLostAnswer(t *testing.T) {
	t.Parallel()
	update := func(before, after **bootstrapv1.Roster) func(s *etcd.Store) error {
		now := time.Now()
		return func(s *etcd.Store) (err error) {
			*before, *after, err = s.Update(t.Context(), "a", func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
				return bootstrap.Join(r, storetest.Peer(1), now)
			})
			return err
		}
	}
	swap := func(s *etcd.Store) error {
		r := &bootstrapv1.Roster{Group: "a", Revision: 1, Config: bootstrap.DefaultConfig()}
		return s.CompareAndSwap(t.Context(), "a", 1, bootstrap.Join(r, storetest.Peer(1), time.Now()))
	}
	t.Run("an update is made once", func(t *testing.T) {
		t.Parallel()
		var before, after *bootstrapv1.Roster
		s, err := lostAnswer(t, update(&before, &after))
		if err != nil || before.GetRevision() != 1 || after.GetRevision() != 2 {
			t.Errorf("update from %d to %d, %v; want 1 to 2", before.GetRevision(), after.GetRevision(), err)
		}
		wantRevision(t, s, 2)
	})
	t.Run("an update that others followed is made once", func(t *testing.T) {
		t.Parallel()
		var before, after *bootstrapv1.Roster
		s, err := lostAnswer(t, update(&before, &after), joinPeer(2))
		if err != nil || after.GetRevision() != 3 {
			t.Errorf("update to %d, %v; want 3", after.GetRevision(), err)
		}
		wantRevision(t, s, 3)
	})
	t.Run("a swap", func(t *testing.T) {
		t.Parallel()
		s, err := lostAnswer(t, swap)
		if err != nil {
			t.Errorf("swap: %v", err)
		}
		wantRevision(t, s, 2)
	})
	t.Run("nobody knows of a swap that others followed", func(t *testing.T) {
		t.Parallel()
		s, err := lostAnswer(t, swap, joinPeer(2))
		if err == nil || errors.Is(err, bootstrap.ErrConflict) || !strings.Contains(err.Error(), "nobody knows whether the change was made") {
			t.Errorf("swap: %v", err)
		}
		wantRevision(t, s, 3)
	})
}
