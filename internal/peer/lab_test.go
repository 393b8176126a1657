package peer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLab is a bootstrap service and peers on a network in memory, in virtual time.
type testLab struct {
	t       *testing.T
	network *network.Memory
	service *bootstrap.Service
	server  *node.Server
	calls   *callCounter
	hosts   int
}

const serviceHost, serviceAddr = "10.0.0.1", "10.0.0.1:7700"

// inLab runs a test in virtual time, on its own network.
func inLab(t *testing.T, test func(l *testLab)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// Cleanups run in reverse order: memberlist's last probes end after their peers are closed.
		t.Cleanup(func() { <-time.After(time.Minute) })
		l := &testLab{t: t, network: network.NewMemory(), hosts: 1}
		l.startService()
		defer l.stopService() // also when the test fails: a bubble does not end before its goroutines
		test(l)
	})
}

func (l *testLab) startService() {
	l.service = bootstrap.NewService(memory.New(10), bootstrap.Options{Log: zerolog.Nop()})
	l.calls = &callCounter{BootstrapServiceServer: l.service, refills: map[string]int{}, others: map[string]int{}}
	l.server = node.NewServer(node.ServerConfig{
		Role: "bootstrap", Network: l.network.Host(serviceHost), Security: insecure(l.t), Log: zerolog.Nop(),
	})
	bootstrapv1.RegisterBootstrapServiceServer(l.server, l.calls)
	if err := l.server.Start(context.Background(), serviceAddr); err != nil {
		l.t.Fatal(err)
	}
	l.service.Start()
}

func (l *testLab) stopService() {
	if err := errors.Join(l.service.Close(), l.server.Close()); err != nil {
		l.t.Error(err)
	}
}

// testPeer is a peer with what a test wants to see of it.
type testPeer struct {
	*Peer
	lab  *testLab
	host string
	conn *grpc.ClientConn
	app  *recorder
	once sync.Once
}

// peer starts a peer on a host of its own; it is in no group yet.
func (l *testLab) peer(name string, change ...func(*Config, *Deps)) *testPeer {
	l.t.Helper()
	<-time.After(time.Millisecond) // the clock stands still otherwise, and all would be of one age
	l.hosts++
	p := &testPeer{lab: l, host: fmt.Sprintf("10.0.0.%d", l.hosts), app: &recorder{}}
	net := l.network.Host(p.host)
	conn, err := node.Dial(net, nil, serviceAddr)
	if err != nil {
		l.t.Fatal(err)
	}
	p.conn = conn
	tuning, err := membership.Profile("fast")
	if err != nil {
		l.t.Fatal(err)
	}
	cfg := Config{
		Name: name, Listen: p.host + ":0", Gossip: p.host + ":0", Tuning: tuning, BootstrapAddr: serviceAddr,
	}
	deps := Deps{
		Network: net, Security: insecure(l.t), Log: zerolog.Nop(), Events: event.New(name, 4096), Print: func(string) {},
		Bootstrap: bootstrap.NewClient(conn, bootstrap.ClientOptions{Timeout: time.Second}),
		Apps:      []app.App{p.app},
	}
	for _, c := range change {
		c(&cfg, &deps)
	}
	if p.Peer, err = New(cfg, deps); err != nil {
		l.t.Fatal(err)
	}
	if err := p.Start(context.Background()); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(p.crash)
	return p
}

// joined is a peer that has done init.
func (l *testLab) joined(name string, change ...func(*Config, *Deps)) *testPeer {
	l.t.Helper()
	p := l.peer(name, change...)
	p.mustInit()
	return p
}

func (p *testPeer) mustInit() {
	p.lab.t.Helper()
	if err := p.Init(context.Background(), p.lab.t.Logf); err != nil {
		p.lab.t.Fatalf("init %s: %v", p.Name(), err)
	}
}

// crash ends a peer without a goodbye.
func (p *testPeer) crash() {
	p.once.Do(func() {
		if err := errors.Join(p.Close(), p.conn.Close()); err != nil {
			p.lab.t.Errorf("close %s: %v", p.Name(), err)
		}
	})
}

// leave ends a peer with a goodbye.
func (p *testPeer) leave() {
	if err := p.Leave(context.Background()); err != nil {
		p.lab.t.Errorf("leave %s: %v", p.Name(), err)
	}
	p.crash()
}

// sees waits until the peer's live members are these, for at most a virtual minute.
func (p *testPeer) sees(names ...string) {
	p.lab.t.Helper()
	slices.Sort(names)
	eventually(p.lab.t, func() error {
		var got []string
		for _, m := range p.Members() {
			if m.Live() {
				got = append(got, m.Name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, names) {
			return fmt.Errorf("%s sees %v, want %v", p.Name(), got, names)
		}
		return nil
	})
}

// roster waits until the service holds these.
func (l *testLab) roster(names ...string) {
	l.t.Helper()
	eventually(l.t, func() error {
		r, err := l.service.List(context.Background(), &bootstrapv1.ListRequest{})
		if err != nil {
			return err
		}
		var got []string
		for _, e := range r.GetRoster().GetPeers() {
			got = append(got, e.GetName())
		}
		if !slices.Equal(got, names) {
			return fmt.Errorf("the roster is %v, want %v", got, names)
		}
		return nil
	})
}

// eventually asks each virtual 10 ms, for at most a virtual minute.
func eventually(t *testing.T, ask func() error) {
	t.Helper()
	var err error
	for range 6000 {
		if err = ask(); err == nil {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatal(err)
}

func insecure(t *testing.T) *node.Security {
	t.Helper()
	s, err := node.LoadSecurity(node.SecurityConfig{Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// callCounter counts calls, and who calls Refill.
type callCounter struct {
	bootstrapv1.BootstrapServiceServer
	mu      sync.Mutex
	refills map[string]int // by who calls
	others  map[string]int // by method
}

func (c *callCounter) Refill(ctx context.Context, req *bootstrapv1.RefillRequest) (*bootstrapv1.RefillResponse, error) {
	c.mu.Lock()
	c.refills[req.GetCandidate().GetName()]++
	c.mu.Unlock()
	return c.BootstrapServiceServer.Refill(ctx, req)
}

// recorder is an application that notes what it is told.
type recorder struct {
	mu     sync.Mutex
	notes  []string
	peer   app.Peer
	refuse error
}

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *recorder) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notes)
}

func (*recorder) Name() string { return "notes" }

func (*recorder) Commands() []app.Spec { return nil }

func (r *recorder) Start(_ context.Context, p app.Peer) error {
	r.note("start")
	r.peer = p
	return r.refuse
}

func (r *recorder) Stop(context.Context) error {
	r.note("stop")
	return nil
}

func (r *recorder) Observe(e app.MemberEvent) {
	if e.Change != app.Updated {
		r.note("%s %s", e.Member.Name, e.Change)
	}
}

func (r *recorder) Receive(from app.Member, payload []byte) { r.note("%s says %s", from.Name, payload) }
