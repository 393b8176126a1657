package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

func joinPeer(i int) bootstrap.Change {
	return func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
		return bootstrap.Join(r, storetest.Peer(i), time.Now())
	}
}

func resize(places uint32) bootstrap.Change {
	return func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
		return bootstrap.UpdateConfig(r, &bootstrapv1.Config{MaxPeers: places}, time.Now())
	}
}

func mustUpdate(t *testing.T, s *etcd.Store, group string, change bootstrap.Change) *bootstrapv1.Roster {
	t.Helper()
	_, r, err := s.Update(t.Context(), group, change)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	addr, nobody := startServer(t), storetest.FreeAddr(t)
	c := dialEtcd(t, addr)
	put := func(key, value string) {
		if _, err := c.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	put("later/meta", `{"format":2}`)
	put("other/meta", "something else")
	tests := []struct {
		name, addr, prefix string
		want               []string
	}{
		{"nobody listens", nobody, "", []string{
			"open etcd://" + nobody + "/peerlab: etcd at " + nobody + " gave no answer within 1s", "connection refused",
		}},
		{"a later format", addr, "later", []string{"key later/meta: it has format 2, and this version knows 1"}},
		{"not ours", addr, "other", []string{"key other/meta is not of peerlab"}},
		{"no host", "", "", []string{`endpoint "" must be host:port`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := etcd.Open(t.Context(), etcd.Config{
				Endpoints: []string{tt.addr}, Prefix: tt.prefix, CallTimeout: time.Second,
			})
			if err == nil {
				_ = s.Close()
				t.Fatal("it is opened")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := etcd.Open(ended, etcd.Config{Endpoints: []string{addr}}); !errors.Is(err, context.Canceled) {
		t.Errorf("open with an ended context: %v", err)
	}
}

// Keys that are not what they should be are errors that name them.
func TestForeignValues(t *testing.T) {
	t.Parallel()
	addr := startServer(t)
	c := dialEtcd(t, addr)
	s := open(t, etcd.Config{Endpoints: []string{addr}, MaxGroups: 1})
	for key, value := range map[string]string{
		"peerlab/groups/broken": "\xff", "peerlab/groups/moved": "", "peerlab/empty/moved": "no number",
	} {
		if _, err := c.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	for group, want := range map[string]string{
		"broken": "key peerlab/groups/broken is not a roster",
		"moved":  `key peerlab/groups/moved: it is the roster of ""`,
	} {
		_, loading := s.Load(t.Context(), group)
		_, _, updating := s.Update(t.Context(), group, joinPeer(1))
		for what, err := range map[string]error{"load": loading, "update": updating} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", what, err, want)
			}
		}
	}
	mustUpdate(t, s, "good", joinPeer(1))
	// The two above are groups, as the store finds when it counts.
	if _, _, err := s.Update(t.Context(), "new", joinPeer(1)); err == nil || !strings.Contains(err.Error(), "key peerlab/empty/moved is not a revision") {
		t.Errorf("a group for which another is to be forgotten: %v", err)
	}
}

// One endpoint of three takes connections and says nothing. Each call gets over it.
func TestSilentEndpoint(t *testing.T) {
	t.Parallel()
	addr := startServer(t)
	cfg := etcd.Config{}
	var proxies []*storetest.Proxy
	for range 3 {
		p := storetest.NewProxy(t, addr)
		proxies = append(proxies, p)
		cfg.Endpoints = append(cfg.Endpoints, p.Addr())
	}
	cfg.CallTimeout = 1500 * time.Millisecond
	s := open(t, cfg)
	mustUpdate(t, s, "a", resize(100))
	proxies[1].Slow()
	for i := range 5 { // the client takes the connections in turn
		mustUpdate(t, s, "a", joinPeer(i))
		if r, err := s.Load(t.Context(), "a"); err != nil || !bootstrap.Held(r, storetest.Peer(i).GetId()) {
			t.Errorf("load: %v", err)
		}
	}
}

// An etcd whose quota is used up refuses changes. The store says so, also as its health, and is well
// when there is space again.
func TestQuota(t *testing.T) {
	t.Parallel()
	addr := startServer(t, func(cfg *embed.Config) { cfg.QuotaBackendBytes = 2 << 20 })
	s := open(t, etcd.Config{Endpoints: []string{addr}})
	c := dialEtcd(t, addr)
	mustUpdate(t, s, "a", resize(3))
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		_, err = c.Put(t.Context(), "filler", strings.Repeat(fmt.Sprint(i%10), 64<<10))
	}
	if !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Fatalf("the quota is not used up: %v", err)
	}
	if _, _, err := s.Update(t.Context(), "a", resize(4)); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Errorf("update: %v", err)
	}
	if err := s.Healthy(t.Context()); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Errorf("healthy: %v", err)
	}
	if r, err := s.Load(t.Context(), "a"); err != nil || r.GetConfig().GetMaxPeers() != 3 {
		t.Errorf("load: %v, %v", r, err)
	}
	makeSpace(t, c, addr)
	if err := s.Healthy(t.Context()); err != nil {
		t.Errorf("healthy again: %v", err)
	}
	mustUpdate(t, s, "a", resize(5))
}

// makeSpace does what an operator of etcd does.
func makeSpace(t *testing.T, c *clientv3.Client, addr string) {
	t.Helper()
	resp, err := c.Delete(t.Context(), "filler")
	if err == nil {
		_, err = c.Compact(t.Context(), resp.Header.Revision, clientv3.WithCompactPhysical())
	}
	if err == nil {
		_, err = c.Defragment(t.Context(), addr)
	}
	if err == nil {
		_, err = c.AlarmDisarm(t.Context(), &clientv3.AlarmMember{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A roster that etcd does not take, as it is too large, is an error of that change alone.
func TestTooLargeRoster(t *testing.T) {
	t.Parallel()
	s := open(t, etcd.Config{Endpoints: []string{startServer(t, func(cfg *embed.Config) { cfg.MaxRequestBytes = 4096 })}})
	mustUpdate(t, s, "a", resize(1000))
	var err error
	var last *bootstrapv1.Roster
	for i := 0; err == nil && i < 1000; i++ {
		var r *bootstrapv1.Roster
		if _, r, err = s.Update(t.Context(), "a", joinPeer(i)); err == nil {
			last = r
		}
	}
	if !errors.Is(err, rpctypes.ErrRequestTooLarge) {
		t.Fatalf("update: %v", err)
	}
	if r, err := s.Load(t.Context(), "a"); err != nil || r.GetRevision() != last.GetRevision() {
		t.Errorf("load: revision %d, %v; want %d", r.GetRevision(), err, last.GetRevision())
	}
	var wg sync.WaitGroup
	for i := range 20 { // those that leave come through, although others still try
		wg.Go(func() {
			change := func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
				return bootstrap.Leave(r, storetest.Peer(i).GetId(), time.Now())
			}
			if _, _, err := s.Update(t.Context(), "a", change); err != nil {
				t.Errorf("leave: %v", err)
			}
		})
		wg.Go(func() {
			_, _, err := s.Update(t.Context(), "a", joinPeer(1000+i))
			if err != nil && !errors.Is(err, rpctypes.ErrRequestTooLarge) {
				t.Errorf("join: %v", err)
			}
		})
	}
	wg.Wait()
	mustUpdate(t, s, "b", joinPeer(1))
	if err := s.Healthy(t.Context()); err != nil {
		t.Errorf("healthy: %v", err)
	}
}
