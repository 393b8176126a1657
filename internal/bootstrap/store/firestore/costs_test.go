package firestore_test

import (
	"testing"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore/fakefirestore"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// TestCosts is the table of costs in the comment of the package.
func TestCosts(t *testing.T) {
	t.Parallel()
	server := fakefirestore.Start(t)
	s := open(t, config(server.Addr(), 2))
	svc := bootstrap.NewService(s, bootstrap.Options{})
	defer func() { _ = svc.Close() }()
	ctx := t.Context()
	join := func(group string) func() error {
		return func() error {
			_, err := svc.Join(ctx, &bootstrapv1.JoinRequest{Group: group, Peer: storetest.Peer(1)})
			return err
		}
	}
	list := func(group string) func() error {
		return func() error {
			_, err := svc.List(ctx, &bootstrapv1.ListRequest{Group: group})
			return err
		}
	}
	for _, step := range []struct {
		what          string
		call          func() error
		reads, writes int64
	}{
		{"list of a group that is not there", list("a"), 3, 0},
		{"join that creates a group", join("a"), 6, 2},
		{"list", list("a"), 1, 0},
		{"renew", func() error {
			_, err := svc.Renew(ctx, &bootstrapv1.RenewRequest{Group: "a", Id: storetest.Peer(1).GetId()})
			return err
		}, 1, 1},
		{"leave of nobody", func() error {
			_, err := svc.Leave(ctx, &bootstrapv1.LeaveRequest{Group: "a", Id: storetest.Peer(2).GetId()})
			return err
		}, 1, 0},
		{"reset", func() error {
			_, err := svc.Reset(ctx, &bootstrapv1.ResetRequest{Group: "a"})
			return err
		}, 1, 1},
		{"join that creates the second group", join("b"), 6, 2},
		{"join that takes the place of a group", join("c"), 7, 3},
		{"healthy", func() error { return svc.Healthy(ctx) }, 1, 0},
		{"groups", func() error { _, err := s.Groups(ctx); return err }, 3, 0}, // two, and the meta document
	} {
		before := server.Stats()
		if err := step.call(); err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
		after := server.Stats()
		if r, w := after.Reads-before.Reads, after.Writes-before.Writes; r != step.reads || w != step.writes {
			t.Errorf("%s: %d reads and %d writes, want %d and %d", step.what, r, w, step.reads, step.writes)
		}
	}
}

// Changes that come together share writes.
func TestChangesShareWrites(t *testing.T) {
	t.Parallel()
	server := fakefirestore.Start(t)
	c := config(server.Addr(), 0)
	c.CallTimeout = time.Minute
	s := open(t, c)
	mustUpdate(t, s, "a", func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
		return bootstrap.UpdateConfig(r, &bootstrapv1.Config{MaxPeers: bootstrap.MaxPeers}, time.Now())
	})
	eventually(t, func() bool { return s.Waiting("a") == -1 }) // the change is answered before its lane ends
	before := server.Stats()
	server.Slow() // the first one waits for its answer, and the others for the first
	const changes = 50
	done := make(chan error, changes)
	start := func(i int) {
		go func() {
			_, _, err := s.Update(t.Context(), "a", joinPeer(i))
			done <- err
		}()
	}
	start(0)
	eventually(t, func() bool { return s.Waiting("a") == 0 })
	for i := 1; i < changes; i++ {
		start(i)
	}
	eventually(t, func() bool { return s.Waiting("a") == changes-1 })
	server.Up()
	for range changes {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if r := mustLoad(t, s, "a"); r.GetCount() != changes || r.GetRevision() != changes+1 {
		t.Errorf("%d peers at revision %d", r.GetCount(), r.GetRevision())
	}
	if writes := server.Stats().Writes - before.Writes; writes != 2 {
		t.Errorf("%d changes took %d writes, want 2", changes, writes)
	}
}
