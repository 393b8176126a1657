package firestore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore/fakefirestore"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// sized is a first roster that takes about that many bytes.
func sized(group string, bytes int) *bootstrapv1.Roster {
	p := storetest.Peer(1)
	r := &bootstrapv1.Roster{Group: group, Revision: 1, Count: 1, Peers: []*bootstrapv1.Peer{p}}
	p.Labels = map[string]string{"size": ""}
	p.Labels["size"] = strings.Repeat("x", bytes-proto.Size(r)-20) // 20 for the lengths that grow
	return r
}

// largest runs against a server: what the store lets pass the server takes, and what it takes not the
// store refuses with a reason.
func largest(t *testing.T, addr string) {
	s := open(t, config(addr, 0))
	mebibyte := 1 << 20
	took, refused := 0, 0
	for size := mebibyte - 400; size <= mebibyte; size += 20 {
		group := fmt.Sprint("size", size)
		err := s.CompareAndSwap(t.Context(), group, 0, sized(group, size))
		switch {
		case err == nil:
			took++
			if r := mustLoad(t, s, group); !proto.Equal(r, sized(group, size)) {
				t.Errorf("a roster of %d bytes comes back otherwise", size)
			}
		case errors.Is(err, bootstrap.ErrTooLarge) && strings.Contains(err.Error(), "at most 1048576"):
			refused++
		default:
			t.Errorf("a roster of %d bytes: %v", size, err)
		}
	}
	if took == 0 || refused == 0 {
		t.Errorf("%d rosters about 1 MiB taken and %d refused, want some of both", took, refused)
	}
	if err := s.Healthy(t.Context()); err != nil {
		t.Errorf("healthy: %v", err)
	}
}

func TestLargestRoster(t *testing.T) {
	t.Parallel()
	largest(t, fakefirestore.Start(t).Addr())
}

// The largest number of peers fits, if they have no labels.
func TestMostPeers(t *testing.T) {
	t.Parallel()
	s := open(t, config(fakefirestore.Start(t).Addr(), 0))
	r := bootstrap.UpdateConfig(mustLoad(t, s, "a"), &bootstrapv1.Config{MaxPeers: bootstrap.MaxPeers}, time.Now())
	for i := range bootstrap.MaxPeers {
		r = bootstrap.Join(r, storetest.Peer(i), time.Now())
	}
	r.Revision = 1
	if err := s.CompareAndSwap(t.Context(), "a", 0, r); err != nil {
		t.Error(err)
	}
	t.Logf("%d peers take %d bytes", r.GetCount(), proto.Size(r))
}

// crowd creates and empties groups through two replicas at once, far more than there may be. It returns after
// checking that the limit holds, that the count is right, and that no revision has gone back.
func crowd(t *testing.T, addr string, groups int) {
	const limit = 3
	c := config(addr, limit)
	replicas := []*bootstrap.Service{}
	first, second := open(t, c), open(t, c)
	for _, s := range []storetest.Closer{first, second} {
		svc := bootstrap.NewService(s, bootstrap.Options{})
		t.Cleanup(func() { _ = svc.Close() })
		replicas = append(replicas, svc)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			last := make(map[string]uint64)
			for i := range groups {
				svc, group := replicas[(w+i)%2], fmt.Sprint("group", w, "-", i%3)
				joined, err := svc.Join(t.Context(), &bootstrapv1.JoinRequest{Group: group, Peer: storetest.Peer(i)})
				if err != nil {
					if !strings.Contains(err.Error(), bootstrap.ErrTooManyGroups.Error()) {
						t.Errorf("join: %v", err)
					}
					continue
				}
				reset, err := svc.Reset(t.Context(), &bootstrapv1.ResetRequest{Group: group})
				if err != nil {
					t.Errorf("reset: %v", err)
					continue
				}
				if r := joined.GetRoster().GetRevision(); r <= last[group] || reset.GetRoster().GetRevision() <= r {
					t.Errorf("group %s: revision %d and %d after %d", group, r, reset.GetRoster().GetRevision(), last[group])
				}
				last[group] = reset.GetRoster().GetRevision()
			}
		})
	}
	wg.Wait()
	// If the count were wrong, there would now be room for more or fewer.
	for i := range 2 * limit {
		group := fmt.Sprint("last", i)
		_, _, err := first.Update(t.Context(), group, joinPeer(i))
		if want := i >= limit; errors.Is(err, bootstrap.ErrTooManyGroups) != want {
			t.Errorf("group %d of %d: %v", i, limit, err)
		}
	}
	if names, err := second.Groups(t.Context()); err != nil || len(names) != limit {
		t.Errorf("groups %v, %v; want %d", names, err, limit)
	}
}

func TestLimitUnderContention(t *testing.T) {
	t.Parallel()
	crowd(t, fakefirestore.Start(t).Addr(), 30)
}

// A peer that does not fit learns that it need not try again.
func TestTooLargeForTheService(t *testing.T) {
	t.Parallel()
	s := open(t, config(fakefirestore.Start(t).Addr(), 0))
	svc := bootstrap.NewService(s, bootstrap.Options{})
	defer func() { _ = svc.Close() }()
	large := sized("a", 1<<20-600).GetPeers()[0]
	mustUpdate(t, s, "a", func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return bootstrap.Join(r, large, time.Now()) })
	peer := storetest.Peer(2)
	peer.Labels = map[string]string{"size": strings.Repeat("x", 1000)}
	_, err := svc.Join(t.Context(), &bootstrapv1.JoinRequest{Group: "a", Peer: peer})
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "lower max_peers") {
		t.Errorf("join: %v", err)
	}
}
