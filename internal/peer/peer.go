package peer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	appv1 "peerlab.example/peerlab/proto/peerlab/app/v1"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	faultv1 "peerlab.example/peerlab/proto/peerlab/fault/v1"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

// Config says who a peer is and where it listens.
type Config struct {
	// Name is what users call the peer; unique among the live members of the group.
	Name string
	// Group is the group it belongs to; empty means "default".
	Group string
	// Listen is host:port of gRPC, Gossip that of membership; port 0 means any.
	Listen, Gossip string
	// Advertise is the IP address at which others reach this peer, where Listen and Gossip bind all (0.0.0.0); else empty.
	Advertise string
	// Tuning are the timings of membership.
	Tuning membership.Tuning
	// BootstrapAddr is the address of the bootstrap service, for messages; empty when there is none.
	BootstrapAddr string
	// BootstrapTimeout ends the attempts to reach the service; 0 means never.
	BootstrapTimeout time.Duration
}

// Deps are the things that a peer uses and does not own.
type Deps struct {
	// Network is that of what others open to this peer, on which faults do not act.
	Network network.Network
	// Faults, if set, are around Network, and are what this peer sends over. The owner may send over them what shall have the same faults, such
	// as the calls of Bootstrap. If nil, the peer has its own.
	Faults   *network.Faults
	Security *node.Security // may be nil
	Log      zerolog.Logger
	Events   *event.Log
	// Bootstrap is a client of the bootstrap service; nil when there is none.
	Bootstrap bootstrapv1.BootstrapServiceClient
	// Apps are the applications, each with a value of its own for this peer.
	Apps []app.App
	// Print shows a line to the user, above a live prompt. It must not block.
	Print func(line string)
	// Memory remembers addresses between starts; nil remembers them for this one.
	Memory Memory
	// NameTaken is told when an older live member of the same name is found after the start: two peers that
	// started at once, or met when a split healed. The peer should leave. It must not block. May be nil.
	NameTaken func(error)
}

// Memory remembers what a peer needs at its next start.
type Memory interface {
	// Load gives what was saved last; nothing of it is set where nothing was.
	Load() (Remembered, error)
	Save(Remembered) error
}

// Remembered is what a peer knows of an earlier start of its own.
type Remembered struct {
	// ID is that of its entry in the roster, which it gives up if it has crashed.
	ID string `json:"id,omitempty"`
	// Members are whom it has known, so that it finds its group again while the bootstrap service is down, and in a split.
	Members []Acquaintance `json:"members,omitempty"`
}

// Acquaintance is a member that a peer has known.
type Acquaintance struct {
	// Name is empty where it is not known; faults are between names.
	Name string `json:"name,omitempty"`
	// Addr is the gossip address.
	Addr string `json:"addr"`
}

// ErrBootstrapTimeout is the error of Init when the service was not reached in time.
var ErrBootstrapTimeout = errors.New("bootstrap service not reached in time")

// Peer is one running peer. Its methods may be called from several goroutines; life-cycle steps
// run one after another.
type Peer struct {
	cfg    Config
	deps   Deps
	log    zerolog.Logger
	server *node.Server
	conns  *conns
	faults *network.Faults
	places *places
	apps   []*host
	clock  *membership.Clock

	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	group errgroup.Group

	steps stepping

	telling chan struct{} // has room for one, which is in there while the log and the applications are told of a change of the view

	tune sync.Mutex // held while timings change, and while a membership is made of them

	mu       sync.Mutex
	members  *membership.Node    // guarded by mu; nil before create
	started  bool                // guarded by mu; membership runs
	joined   bool                // guarded by mu; the members of the roster were joined
	keeper   *keeper             // guarded by mu; nil before the first contact with the service
	roster   *bootstrapv1.Roster // guarded by mu; as last seen, nil before
	known    []string            // guarded by mu; the addresses that are remembered, and tried
	older    []string            // guarded by mu; those that are kept for the next start, as long as there is room
	former   string              // guarded by mu; the id with which this peer, or an earlier start of it, was last in the group
	enrolled string              // guarded by mu; the id with which this start has asked for a place in the roster

	news   chan struct{} // has room for one; there may be other addresses to remember
	saving sync.Mutex    // held while Memory is given some
	saved  Remembered    // guarded by saving; what Memory was given last
}

// New makes a peer and starts nothing. services are further gRPC services of the peer's server.
func New(cfg Config, deps Deps, services ...func(grpc.ServiceRegistrar)) (*Peer, error) {
	if err := errors.Join(checkName(cfg.Name), checkGroup(cfg.Group)); err != nil {
		return nil, err
	}
	if err := errors.Join(deps.Security.CheckBind("--listen", cfg.Listen), deps.Security.CheckBind("--gossip", cfg.Gossip)); err != nil {
		return nil, err
	}
	p := &Peer{
		cfg:     cfg,
		deps:    deps,
		log:     deps.Log.With().Str("component", "peer").Str("node", cfg.Name).Logger(),
		steps:   stepping{busy: make(chan struct{}, 1)},
		news:    make(chan struct{}, 1),
		telling: make(chan struct{}, 1),
		clock:   membership.NewClock(),
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.places = newPlaces(cfg.BootstrapAddr)
	if p.faults = deps.Faults; p.faults == nil {
		p.faults = network.NewFaults(deps.Network, rand.Uint64())
	}
	p.faults.Bind(cfg.Name, p.places.name, p.onFault)
	p.conns = newConns(p.faults, deps.Security)
	p.server = node.NewServer(node.ServerConfig{
		Role: "peer", Name: cfg.Name, Network: deps.Network, Security: deps.Security, Events: deps.Events, Log: deps.Log,
	})
	membershipv1.RegisterMembershipServiceServer(p.server, membership.NewService(p.Members))
	appv1.RegisterAppServiceServer(p.server, sendService{peer: p})
	faultv1.RegisterFaultServiceServer(p.server, faultService{faults: p.faults})
	for _, a := range deps.Apps {
		if a.Name() == consoleData {
			return nil, fmt.Errorf("an application cannot be called %q: the console has data of that name", consoleData)
		}
		if err := checkMetrics(a); err != nil {
			return nil, err
		}
		p.apps = append(p.apps, &host{peer: p, app: a})
		if r, ok := a.(app.Registrar); ok {
			r.Register(p.server)
		}
	}
	for _, register := range services {
		register(p.server)
	}
	return p, nil
}

// Start serves gRPC. The peer is in no group yet: see Init.
func (p *Peer) Start(ctx context.Context) error {
	if err := p.server.Start(ctx, p.cfg.Listen); err != nil {
		return fmt.Errorf("peer %s: %w", p.cfg.Name, err)
	}
	p.server.SetServing(true)
	p.recall()
	p.group.Go(func() error {
		p.rememberNews()
		return nil
	})
	return nil
}

// Addr is host:port of gRPC; known after Start.
func (p *Peer) Addr() string { return p.server.Addr() }

// rpcAddr is the address of gRPC that others are told.
func (p *Peer) rpcAddr() string {
	_, port, err := net.SplitHostPort(p.Addr())
	if p.cfg.Advertise == "" || err != nil {
		return p.Addr()
	}
	return net.JoinHostPort(p.cfg.Advertise, port)
}

// Name is the peer's name.
func (p *Peer) Name() string { return p.cfg.Name }

// Close leaves nothing running. It does not say goodbye: see Leave. It may be called more than once.
func (p *Peer) Close() error {
	p.server.SetServing(false)
	p.stop()
	p.steps.busy <- struct{}{} // a step that runs has been ended by stop
	err := p.drop(context.Background())
	<-p.steps.busy
	err = errors.Join(err, p.server.Close(), p.conns.Close(), p.group.Wait())
	if p.deps.Faults == nil {
		err = errors.Join(err, p.faults.Close())
	}
	return err
}

// Members is the view, oldest first; empty before create. The slice is shared by all who ask, and must not be changed.
func (p *Peer) Members() []app.Member {
	if m := p.membership(); m != nil {
		return m.Members()
	}
	return nil
}

// number counts the members that are like that; 0 before create.
func (p *Peer) number(like func(app.Member) bool) int {
	if m := p.membership(); m != nil {
		return m.Number(like)
	}
	return 0
}

// Alive counts the members that are alive or suspect, with this one. It answers at once.
func (p *Peer) Alive() int {
	alive, suspect := p.count()
	return alive + suspect
}

// Suspects counts the members that are suspected. It answers at once.
func (p *Peer) Suspects() int {
	_, suspect := p.count()
	return suspect
}

func (p *Peer) count() (alive, suspect int) {
	if m := p.membership(); m != nil {
		return m.Count()
	}
	return 0, 0
}

func (p *Peer) membership() *membership.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.members
}

func (p *Peer) groupName() string {
	if p.cfg.Group == "" {
		return "default"
	}
	return p.cfg.Group
}
