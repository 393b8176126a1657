package etcd_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

// memberEnv makes this binary the etcd that it describes, as JSON of a member.
const memberEnv = "PEERLAB_TEST_ETCD_MEMBER"

func TestMain(m *testing.M) {
	if text := os.Getenv(memberEnv); text != "" {
		err := runMember(text)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// member is one etcd of a cluster: its name, folder, addresses, and the cluster as etcd writes it.
type member struct {
	Name, Dir, Peer, Client, Cluster string

	kill func() // ends the process of a member with SIGKILL, and waits
}

// config is that of a small etcd which elects fast.
func (m *member) config() *embed.Config {
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir, cfg.InitialCluster = m.Name, m.Dir, m.Cluster
	cfg.LogLevel, cfg.LogOutputs = "fatal", []string{"/dev/null"}
	cfg.TickMs, cfg.ElectionMs = 50, 500
	peer, client := url.URL{Scheme: "http", Host: m.Peer}, url.URL{Scheme: "http", Host: m.Client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	return cfg
}

// start runs an etcd in this process until it is closed.
func start(cfg *embed.Config) (*embed.Etcd, error) {
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, nil
	case <-time.After(30 * time.Second):
		e.Close()
		return nil, errors.New("etcd does not start")
	}
}

// runMember is the process of a member. It ends with the process that started it, which holds its standard
// input.
func runMember(text string) error {
	var m member
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return err
	}
	if _, err := start(m.config()); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// newMembers are that many members of one cluster on loopback, which do not run yet.
func newMembers(t testing.TB, n int) []*member {
	t.Helper()
	members := make([]*member, n)
	cluster := ""
	for i := range members {
		m := &member{Name: fmt.Sprint("m", i), Dir: t.TempDir(), Peer: storetest.FreeAddr(t), Client: storetest.FreeAddr(t)}
		cluster += fmt.Sprintf(",%s=http://%s", m.Name, m.Peer)
		members[i] = m
	}
	for _, m := range members {
		m.Cluster = cluster[1:]
	}
	return members
}

// startServer runs a real etcd of one member in this process, and returns its host:port.
func startServer(t testing.TB, change ...func(*embed.Config)) string {
	t.Helper()
	for try := 1; ; try++ {
		m := newMembers(t, 1)[0]
		cfg := m.config()
		cfg.UnsafeNoFsync = true // its tests are not about the disk
		for _, f := range change {
			f(cfg)
		}
		e, err := start(cfg)
		if err == nil {
			t.Cleanup(e.Close)
			return m.Client
		}
		if try == 5 || !errors.Is(err, syscall.EADDRINUSE) { // somebody was faster to take a port
			t.Fatal(err)
		}
	}
}

// startCluster runs a real cluster, each member in a process of its own.
func startCluster(t *testing.T, n int) []*member {
	t.Helper()
	members := newMembers(t, n)
	var wg sync.WaitGroup
	for _, m := range members {
		wait := m.start(t)
		wg.Go(func() {
			if err := wait(); err != nil {
				t.Errorf("member %s does not start: %v", m.Name, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return members
}

// start starts the process of a member; wait returns when it is ready.
func (m *member) start(t *testing.T) (wait func() error) {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), memberEnv+"="+string(text))
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	m.kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = in.Close()
	})
	t.Cleanup(m.kill)
	return func() error {
		_, err := bufio.NewReader(out).ReadString('\n')
		return err
	}
}

// dialEtcd is a client of etcd that is not peerlab's.
func dialEtcd(t testing.TB, addrs ...string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: addrs, Logger: zap.NewNop(), Context: context.WithoutCancel(t.Context())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
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
