package etcd_test

import (
	"net"
	"net/url"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
)

// startServer runs a real etcd of one member and returns its host:port.
func startServer(t testing.TB) string {
	t.Helper()
	return startMembers(t, 1)[0].addr
}

// member is one etcd of a cluster.
type member struct {
	*embed.Etcd
	addr string // host:port for clients
	dead bool
}

// kill ends a member at once, as a crash would.
func (m *member) kill() {
	if m.dead {
		return
	}
	m.dead = true
	m.Server.HardStop() // Close calls Stop, which is harmless afterwards: it is HardStop twice that panics
	m.Close()
}

// startMembers runs a cluster of that many members on loopback, each with data of its own.
func startMembers(t testing.TB, n int) []*member {
	t.Helper()
	var configs []*embed.Config
	cluster := ""
	for i := range n {
		cfg := embed.NewConfig()
		cfg.Name = string(rune('a' + i))
		cfg.Dir = t.TempDir()
		cfg.LogLevel = "fatal"
		cfg.LogOutputs = []string{"/dev/null"}
		cfg.UnsafeNoFsync = true // what is tested is not the disk
		cfg.TickMs, cfg.ElectionMs = 20, 400
		peer, client := freeURL(t), freeURL(t)
		cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
		cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
		if i > 0 {
			cluster += ","
		}
		cluster += cfg.Name + "=" + peer.String()
		configs = append(configs, cfg)
	}
	members := make([]*member, n)
	for i, cfg := range configs {
		cfg.InitialCluster = cluster
		e, err := embed.StartEtcd(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m := &member{Etcd: e, addr: cfg.ListenClientUrls[0].Host}
		t.Cleanup(func() {
			if !m.dead {
				m.Close()
			}
		})
		members[i] = m
	}
	for _, m := range members {
		select {
		case <-m.Server.ReadyNotify():
		case <-time.After(30 * time.Second):
			t.Fatal("etcd does not start")
		}
	}
	return members
}

// freeURL is an address on loopback that nobody listens on.
func freeURL(t testing.TB) url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return url.URL{Scheme: "http", Host: l.Addr().String()}
}

func open(t testing.TB, cfg etcd.Config) *etcd.Store {
	t.Helper()
	s, err := etcd.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
