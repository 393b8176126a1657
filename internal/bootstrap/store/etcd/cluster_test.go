package etcd_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// One of three members is killed while two replicas of the service make changes. Each change that was
// acknowledged is there, and the rest follows when the others have a leader again.
func TestMemberIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		leader bool
	}{{"the leader", true}, {"a follower", false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && !tt.leader {
				t.Skip("a cluster of three takes memory")
			}
			members := startCluster(t, 3)
			killUnderLoad(t, members, victim(t, members, tt.leader))
		})
	}
}

// victim is the leader, or a member that is not.
func victim(t *testing.T, members []*member, leader bool) *member {
	t.Helper()
	c := dialEtcd(t, members[0].Client)
	for _, m := range members {
		st, err := c.Status(t.Context(), m.Client)
		if err != nil {
			t.Fatal(err)
		}
		if (st.Leader == st.Header.MemberId) == leader {
			return m
		}
	}
	t.Fatal("there is no such member")
	return nil
}

func killUnderLoad(t *testing.T, members []*member, doomed *member) {
	const writers, changes, before = 8, 400, 100 // acknowledged changes before the kill
	var cfg etcd.Config
	for _, m := range members {
		cfg.Endpoints = append(cfg.Endpoints, m.Client)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // a bound: on an idle machine it takes a few seconds
	defer cancel()
	replicas := []*bootstrap.Service{service(t, open(t, cfg)), service(t, open(t, cfg))}
	_, err := replicas[0].UpdateConfig(ctx, &bootstrapv1.UpdateConfigRequest{
		Config: &bootstrapv1.Config{MaxPeers: bootstrap.MaxPeers, Lease: durationpb.New(time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	watched := open(t, cfg)
	joined := make(chan int)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < changes; i += writers {
				joinUntil(ctx, t, replicas[w%2], i)
				joined <- i
			}
		})
	}
	go func() {
		wg.Wait()
		close(joined)
	}()
	killed := make(chan struct{})
	count := 0
	for range joined {
		if count++; count == before {
			go func() {
				defer close(killed)
				doomed.kill()
			}()
		}
	}
	<-killed
	for i, svc := range replicas {
		resp, err := svc.List(ctx, &bootstrapv1.ListRequest{})
		if err != nil || resp.GetRoster().GetRevision() < changes+1 {
			t.Errorf("replica %d: revision %d, %v", i, resp.GetRoster().GetRevision(), err)
		}
		var lost []int
		for n := range changes {
			if !bootstrap.Held(resp.GetRoster(), storetest.Peer(n).GetId()) {
				lost = append(lost, n)
			}
		}
		if len(lost) > 0 {
			t.Errorf("replica %d: of the acknowledged peers %d are lost, the first is %d", i, len(lost), lost[0])
		}
	}
	for r, err := range watched.Watch(ctx, bootstrap.DefaultGroup) {
		if err != nil {
			t.Fatalf("watch: %v", err)
		}
		if r.GetCount() == changes {
			break
		}
	}
}

// joinUntil joins a peer, as its client does: an unavailable service is asked again.
func joinUntil(ctx context.Context, t *testing.T, svc *bootstrap.Service, i int) {
	for {
		resp, err := svc.Join(ctx, &bootstrapv1.JoinRequest{Peer: storetest.Peer(i)})
		if err == nil && resp.GetHeld() {
			return
		}
		if status.Code(err) != codes.Unavailable {
			t.Errorf("join of peer %d: held %v, %v", i, resp.GetHeld(), err)
			return
		}
		t.Logf("join of peer %d: %v", i, err)
	}
}

func service(t testing.TB, s bootstrap.Store) *bootstrap.Service {
	svc := bootstrap.NewService(s, bootstrap.Options{})
	t.Cleanup(func() { _ = svc.Close() })
	return svc
}
