package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/console"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/peer"
	"peerlab.example/peerlab/internal/testcoord"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// eventsKept is how many events of a node wait to be read. The coordinator reads them at once.
const eventsKept = 4096

// simulation is one run. It is the Runner of its coordinator.
type simulation struct {
	spec   *Spec
	suite  *testcoord.Suite
	apps   []func() app.App
	places *places

	bootstrap, coordinatorAddr string
	closers                    []func() error
	running                    sync.WaitGroup // peers
	memories

	mu    sync.Mutex
	tails map[string]*tail // guarded by mu; by name of the peer
}

// Start begins a life of a peer.
func (s *simulation) Start(_ context.Context, name string) (testcoord.Process, error) {
	p := &process{sim: s, name: name, ip: s.places.ip(name), done: make(chan struct{}), tail: s.tail(name)}
	p.host = s.places.memory.Host(p.ip)
	ctx, stop := context.WithCancelCause(context.Background())
	p.stop = stop
	if err := p.make(); err != nil {
		stop(nil)
		return nil, errors.Join(err, p.close())
	}
	s.running.Go(func() {
		defer close(p.done)
		defer stop(nil)
		err := errors.Join(p.live(ctx), p.close())
		if p.status == "" && err != nil {
			p.status = "exit status 1"
			_, _ = fmt.Fprintf(p.tail, "peerlab: error: %v\n", err)
		}
	})
	return p, nil
}

// tail is where a peer's log goes, in all its lives.
func (s *simulation) tail(name string) *tail {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tails[name] == nil {
		s.tails[name] = &tail{}
	}
	return s.tails[name]
}

func (s *simulation) logs() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.tails)) {
		out[name] = s.tails[name].text()
	}
	return out
}

// errTerminated and errKilled are why a life ends.
var (
	errTerminated = errors.New("terminated")
	errKilled     = errors.New("killed")
)

// process is one life of a peer.
type process struct {
	sim  *simulation
	name string
	ip   string
	host network.Network // without faults
	tail *tail
	stop context.CancelCauseFunc
	done chan struct{}

	lab     *lab.Lab
	events  *event.Log
	closers []func() error
	status  string // of the end; set before done is closed
}

// make makes the peer as a process of its own would.
func (p *process) make() error {
	s := p.sim
	table := lab.Settings(s.apps, nil)
	given := []config.Given{
		{Key: "name", Text: p.name}, {Key: "bootstrap", Text: s.bootstrap}, {Key: "listen", Text: p.ip + ":0"}, {Key: "gossip", Text: p.ip + ":0"},
		{Key: "profile", Text: cmp.Or(s.suite.Profile, s.spec.Gossip, lab.DefaultProfile)}, {Key: "log-level", Text: cmp.Or(s.spec.LogLevel, "info")}, {Key: "log-format", Text: "console"},
		{Key: "color", Text: "never"}, {Key: "insecure", Text: "true"}, {Key: "init", Text: "no"},
	}
	said, err := table.FromFlags(given)
	if err != nil {
		return err
	}
	values, err := table.Resolve(said)
	if err != nil {
		return err
	}
	tuning, err := lab.Tuning(values.Get)
	if err != nil {
		return err
	}
	logs, err := node.NewLogs(p.tail, values.Get("log-format"), values.Get("log-level"), false, false, lab.Components(s.apps)...)
	if err != nil {
		return err
	}
	faults := network.NewFaults(p.host, s.spec.Seed)
	p.closers = append(p.closers, faults.Close)
	conn, err := node.Dial(faults, unprotected(), s.bootstrap)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, conn.Close)
	p.events = event.New(p.name, eventsKept)
	output := console.NewOutput(p.tail, p.tail)
	deps := peer.Deps{
		Network: p.host, Faults: faults, Security: unprotected(), Log: logs.Logger(), Events: p.events, Print: output.Println,
		Bootstrap: bootstrap.NewClient(conn, bootstrap.ClientOptions{Timeout: 2 * time.Second}),
		NameTaken: func(err error) { p.stop(err) }, Memory: s.memories.of(p.name),
	}
	for _, a := range s.apps {
		deps.Apps = append(deps.Apps, a())
	}
	p.lab, err = lab.New(lab.Config{
		Peer: peer.Config{
			Name: p.name, Group: values.Get("group"), BootstrapAddr: s.bootstrap, Listen: values.Get("listen"), Gossip: values.Get("gossip"), Tuning: tuning,
		},
		Deps: deps, Values: values, Logs: logs, Output: output, NoShell: "this is a simulation, and not a machine",
	})
	return err
}

// live is the peer's life, up to its end.
func (p *process) live(ctx context.Context) error {
	if err := p.lab.Peer.Start(ctx); err != nil {
		return err
	}
	// Without keepalive: a frozen peer's own timers go on here, and would end the connection, which those of a stopped process do not.
	conn, err := grpc.NewClient("passthrough:///"+p.sim.coordinatorAddr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return p.host.Dial(ctx, network.RPC, addr) }))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	hello := &testcoordv1.Hello{Name: p.name, Addr: p.lab.Peer.Addr(), Version: node.VersionLine()}
	_, err = testcoord.Attach(ctx, testcoordv1.NewCoordinatorServiceClient(conn), hello, p.lab.Executor, p.events)
	cause := context.Cause(ctx)
	if errors.Is(cause, errKilled) {
		p.status = "signal: killed"
		return nil
	}
	if errors.Is(cause, errTerminated) {
		err = nil
	}
	return errors.Join(err, p.lab.Peer.Leave(context.WithoutCancel(ctx)))
}

func (p *process) close() error {
	var errs []error
	if p.lab != nil {
		errs = append(errs, p.lab.Close())
	}
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i]())
	}
	if p.status != "" {
		return nil // what a killed process leaves open is nobody's error
	}
	return errors.Join(errs...)
}

// Done is closed when the life is over.
func (p *process) Done() <-chan struct{} { return p.done }

// Status says how it ended; empty is well.
func (p *process) Status() string { return p.status }

// Terminate asks the peer to leave and to end.
func (p *process) Terminate() { p.stop(errTerminated) }

// Kill ends it without its knowing.
func (p *process) Kill() {
	p.stop(errKilled)
	p.sim.places.memory.Kill(p.ip)
}

// Freeze stops the peer at its next use of the network.
func (p *process) Freeze() error {
	p.sim.places.memory.Freeze(p.ip)
	return nil
}

// Thaw lets it go on.
func (p *process) Thaw() error {
	p.sim.places.memory.Thaw(p.ip)
	return nil
}

// Skew sets the peer's clock wrong.
func (p *process) Skew(d time.Duration) error {
	p.lab.Peer.SkewClock(d)
	return nil
}

// Tail is what it has logged last.
func (p *process) Tail(n int) []string { return p.tail.lines(n) }
