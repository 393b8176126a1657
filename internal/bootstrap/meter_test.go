package bootstrap_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// counts is a Meter that counts.
type counts struct {
	mu    sync.Mutex
	n     map[string]int // guarded by mu
	sizes map[string]int // guarded by mu; of the last sweep
}

func (c *counts) add(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[name] += n
}

func (c *counts) StoreCall(operation, result string, _ time.Duration) {
	c.add(operation+" "+result, 1)
}
func (c *counts) StoreRetried()            { c.add("retried", 1) }
func (c *counts) LeasesEnded(n int)        { c.add("ended", n) }
func (c *counts) LimitHit(l string)        { c.add("limit "+l, 1) }
func (c *counts) of(name string) int       { c.mu.Lock(); defer c.mu.Unlock(); return c.n[name] }
func (c *counts) last() (s map[string]int) { c.mu.Lock(); defer c.mu.Unlock(); return c.sizes }

func (c *counts) Swept(sizes map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sizes = sizes
}

// updating is a store that applies changes itself; another writer comes first, so many times.
type updating struct {
	bootstrap.Store
	races int
}

func (s *updating) Update(ctx context.Context, group string, change bootstrap.Change) (before, after *bootstrapv1.Roster, err error) {
	before, err = s.Load(ctx, group)
	if err != nil {
		return nil, nil, err
	}
	for range s.races {
		change(before)
	}
	after = change(before)
	return before, after, s.CompareAndSwap(ctx, group, before.GetRevision(), after)
}

func TestMeterOfAStoreThatUpdatesItself(t *testing.T) {
	t.Parallel()
	store := memory.New(1)
	defer func() { _ = store.Close() }()
	c := &counts{n: map[string]int{}}
	svc := bootstrap.NewService(&updating{Store: store, races: 2}, bootstrap.Options{Log: zerolog.Nop(), Meter: c})
	if _, err := svc.UpdateConfig(t.Context(), &bootstrapv1.UpdateConfigRequest{Config: &bootstrapv1.Config{MaxPeers: 3}}); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"load ok": 1, "update ok": 1, "retried": 2}
	if d := cmp.Diff(want, c.n); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestMeterOfLeasesRostersAndGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(2)
		defer func() { _ = store.Close() }()
		c := &counts{n: map[string]int{}}
		svc := bootstrap.NewService(store, bootstrap.Options{Log: zerolog.Nop(), Meter: c})
		svc.Start()
		defer func() { _ = svc.Close() }()
		join := func(group string, i int) error {
			_, err := svc.Join(t.Context(), &bootstrapv1.JoinRequest{Group: group, Peer: &bootstrapv1.Peer{
				Id: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Name: "p", Host: "10.0.0.1", Port: uint32(i),
			}})
			return err
		}
		_, err := svc.UpdateConfig(t.Context(), &bootstrapv1.UpdateConfigRequest{Group: "short", Config: &bootstrapv1.Config{Lease: durationpb.New(3 * time.Second)}})
		if err != nil {
			t.Fatal(err)
		}
		for i, group := range []string{"short", "short", "long"} {
			if err := join(group, i+1); err != nil {
				t.Fatal(err)
			}
		}
		if err := join("third", 9); status.Code(err) != codes.ResourceExhausted || c.of("limit max-groups") != 1 {
			t.Errorf("a group too many: %v, %d hits", err, c.of("limit max-groups"))
		}
		time.Sleep(2 * time.Second) //nolint:forbidigo // virtual time
		synctest.Wait()
		if d := cmp.Diff(map[string]int{"short": 2, "long": 1}, c.last()); d != "" {
			t.Errorf("sizes (-want +got)\n%s", d)
		}
		time.Sleep(2 * time.Second) //nolint:forbidigo // virtual time
		synctest.Wait()
		if d := cmp.Diff(map[string]int{"short": 0, "long": 1}, c.last()); d != "" || c.of("ended") != 2 {
			t.Errorf("%d leases ended, want 2; sizes (-want +got)\n%s", c.of("ended"), d)
		}
	})
}
