package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Sizes of the contention check: the changes are as many as a roster can show as peers.
const (
	contentionWriters = 8
	contentionChanges = bootstrap.MaxPeers
)

// contention has writers join peers to one group through two replicas of the service. Each
// join that was acknowledged is a revision of its own, and nobody is missing in the end.
func contention(t *testing.T, open func(t *testing.T) (first, second Closer)) {
	stores := make([]Closer, 2)
	stores[0], stores[1] = open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // a bound: on an idle machine it takes a few seconds
	defer cancel()
	replicas := make([]*bootstrap.Service, len(stores))
	for i, s := range stores {
		replicas[i] = bootstrap.NewService(s, bootstrap.Options{})
		t.Cleanup(func() { _ = errors.Join(replicas[i].Close(), s.Close()) })
	}
	_, err := replicas[0].UpdateConfig(ctx, &bootstrapv1.UpdateConfigRequest{
		Config: &bootstrapv1.Config{MaxPeers: bootstrap.MaxPeers, Lease: durationpb.New(time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	parallel(contentionWriters, func(w int) {
		for i := w; i < contentionChanges; i += contentionWriters {
			resp, err := replicas[w%len(replicas)].Join(ctx, &bootstrapv1.JoinRequest{Peer: Peer(i)})
			if err != nil || !resp.GetHeld() {
				t.Errorf("join of peer %d: held %v, %v", i, resp.GetHeld(), err)
				return
			}
		}
	})
	for _, s := range stores {
		r := load(t, s, bootstrap.DefaultGroup)
		if r.GetRevision() != contentionChanges+1 {
			t.Errorf("revision %d after %d changes and the first", r.GetRevision(), contentionChanges)
		}
		var lost []int
		for i := range contentionChanges {
			if !bootstrap.Held(r, Peer(i).GetId()) {
				lost = append(lost, i)
			}
		}
		if len(lost) > 0 {
			t.Errorf("%d peers are lost, the first is %d", len(lost), lost[0])
		}
	}
}
