package membership

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-metrics"
	"github.com/hashicorp/memberlist"
	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/network"
)

// Node is this peer in its group. Its methods may be called from any goroutine; those that
// wait (Join, Leave, Close) not from OnEvent or OnBroadcast. A Node that has left or is closed
// stays so: to come back, make another with a new ID.
type Node struct {
	cfg       Config
	log       zerolog.Logger
	transport *transport
	queue     *queue
	digest    *digester
	view      *view
	gossip    *gossip
	repair    *repair
	store     *store
	delegate  *delegate
	tuning    atomic.Pointer[Tuning]
	// suspicion is the largest SuspicionMult * SuspicionMaxMult since the start: those that are suspect keep their time.
	suspicion atomic.Int64
	// memberlistConf is what memberlist was made with; only retune changes it.
	memberlistConf *memberlist.Config // set by Start

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	wg   sync.WaitGroup

	// seeking is set from the first Join on, until Leave: only then does the node look for members by itself.
	seeking atomic.Bool
	// claiming is set while Join takes in what the group knows, and looks for members of our name by itself.
	claiming atomic.Bool
	meta     atomic.Pointer[[]byte]

	refused    atomic.Uint64
	refusedLog time.Time // when that was logged; only the goroutine that owns the view uses it

	step sync.Mutex // held while Listen, Start, SetMeta or Leave runs

	mu     sync.Mutex
	addr   string                 // guarded by mu; empty before Listen
	ml     *memberlist.Memberlist // guarded by mu; nil before Start
	left   bool                   // guarded by mu
	closed bool                   // guarded by mu; no goroutine is started any more
}

// Stats say how a node is.
type Stats struct {
	// HealthScore is memberlist's: 0 is well; each point slows the node's own probes.
	HealthScore int
	// Queued broadcasts of applications wait to be sent, or to be sent again.
	Queued int
	// Dropped broadcasts, and states of full syncs, came faster than they could be handled, or than they can be sent on, or were too large.
	Dropped uint64
	// Syncs are full syncs that a differing digest led to, or that many joined at once; Heals are the attempts to reach the lost.
	Syncs, Heals uint64
	// Entries are the keys that have a value, those of all applications; Tombstones the deletions that are remembered.
	Entries, Tombstones int
	// Refused are entries of others that could not be read, for which there was no room, or whose stamp was too far ahead.
	Refused uint64
}

// New checks the configuration. Nothing runs yet.
func New(cfg Config, n network.Network, log zerolog.Logger) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("membership: %w", err)
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(app.MemberEvent) {}
	}
	if cfg.OnBroadcast == nil {
		cfg.OnBroadcast = func(string, app.Member, []byte) {}
	}
	if cfg.OnData == nil {
		cfg.OnData = func(string, app.Entry) {}
	}
	if cfg.Clock == nil {
		cfg.Clock = NewClock()
	}
	if cfg.OnNameTaken == nil {
		cfg.OnNameTaken = func(error) {}
	}
	if cfg.Seeds == nil {
		cfg.Seeds = func() []string { return nil }
	}
	self := app.Member{ID: cfg.ID, Name: cfg.Name, JoinedAt: cfg.JoinedAt}
	meta, err := encodeMeta(self)
	if err != nil {
		return nil, err
	}
	node := &Node{
		cfg:    cfg,
		log:    log.With().Str("component", "membership").Str("node", cfg.Name).Logger(),
		queue:  newQueue(),
		digest: newDigester(),
	}
	node.tuning.Store(&cfg.Tuning)
	node.view = newView(self, node.digest, cfg.Tuning.KeepGone)
	node.meta.Store(&meta)
	observer, err := newObserver(cfg.Key, func(r rumour) { node.queue.put(note{rumour: &r}) })
	if err != nil {
		return nil, err
	}
	node.transport = newTransport(n, cfg.Tuning.DialTimeout, observer)
	node.gossip = newGossip(cfg.ID, node.digest.members, room(cfg))
	node.repair = newRepair(node.Tuning)
	node.store = newStore(cfg.Clock, cfg.ID)
	node.store.tell, node.store.send = node.tellChange, node.sendEntry
	node.ctx, node.stop = context.WithCancel(context.Background())
	return node, nil
}

// Listen takes the port for packets and streams. Addr is known from then on.
func (n *Node) Listen(ctx context.Context) error {
	n.step.Lock()
	defer n.step.Unlock()
	if n.Addr() != "" {
		return nil
	}
	if n.isClosed() {
		return ErrNotRunning
	}
	if err := n.transport.listen(ctx, n.cfg.BindAddr); err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	bound, err := netip.ParseAddrPort(n.transport.pc.LocalAddr().String())
	if err != nil {
		return fmt.Errorf("gossip address: %w", err)
	}
	ip := bound.Addr().Unmap()
	if n.cfg.Advertise != "" {
		ip = netip.MustParseAddr(n.cfg.Advertise) // checked by Validate
	}
	addr := netip.AddrPortFrom(ip, bound.Port()).String()
	n.view.setMe(func(m *app.Member) { m.Addr = addr })
	n.mu.Lock()
	n.addr = addr
	n.mu.Unlock()
	return nil
}

// Start runs memberlist on the port that Listen took. The node is alone until Join.
func (n *Node) Start(context.Context) error {
	n.step.Lock()
	defer n.step.Unlock()
	addr, err := netip.ParseAddrPort(n.Addr())
	switch {
	case err != nil:
		return errors.New("membership: start comes after listen")
	case n.running() != nil:
		return nil
	case n.isClosed():
		return ErrNotRunning
	}
	n.fixTuning()
	if !n.spawn(n.run) {
		return ErrNotRunning
	}
	n.transport.start()
	n.memberlistConf = n.memberlistConfig(addr)
	ml, err := memberlist.Create(n.memberlistConf)
	if err != nil {
		return fmt.Errorf("membership: %w", err)
	}
	n.mu.Lock()
	n.ml = ml
	n.mu.Unlock()
	n.spawn(n.syncWhenAsked)
	n.spawn(n.heal)
	n.barrier(n.ctx)
	return nil
}

// fixTuning sets what follows from timings that do not change while the node runs.
func (n *Node) fixTuning() {
	t := n.Tuning()
	n.suspicion.Store(int64(t.SuspicionMult * t.SuspicionMaxMult))
	n.view.patience = 4 * t.GossipInterval
	n.gossip.queue.mult = max(t.RetransmitMult, broadcastMult)
	n.store.settle = int64(settleRounds * t.GossipInterval)
}

// memberlistConfig is memberlist's with our timings, on our transport.
func (n *Node) memberlistConfig(addr netip.AddrPort) *memberlist.Config {
	t := n.Tuning()
	c := memberlist.DefaultLANConfig()
	c.Name = nodeName(n.cfg.Name, n.cfg.ID)
	c.Transport = n.transport
	c.Label = label(n.cfg.Group)
	c.BindAddr, c.AdvertiseAddr = addr.Addr().String(), addr.Addr().String()
	c.BindPort, c.AdvertisePort = int(addr.Port()), int(addr.Port())
	c.ProbeInterval, c.ProbeTimeout, c.IndirectChecks = t.ProbeInterval, t.ProbeTimeout, t.IndirectChecks
	c.SuspicionMult, c.SuspicionMaxTimeoutMult = t.SuspicionMult, t.SuspicionMaxMult
	c.AwarenessMaxMultiplier = t.AwarenessMax
	c.GossipInterval, c.GossipNodes, c.GossipToTheDeadTime = t.GossipInterval, t.GossipNodes, t.GossipToTheDead
	c.RetransmitMult, c.PushPullInterval, c.TCPTimeout = t.RetransmitMult, t.PushPullInterval, t.StreamTimeout
	c.UDPBufferSize = packetSize
	// Packets are small enough as they are, and observer reads them.
	c.EnableCompression = false
	c.SecretKey = n.cfg.Key
	c.DNSConfigPath = ""
	c.Logger = newLogger(n.log)
	c.MetricLabels = []metrics.Label{{Name: "node", Value: c.Name}, {Name: "group", Value: n.cfg.Group}}
	d := &delegate{
		queue: n.queue, digest: n.digest, store: n.store, pending: n.gossip.queue.take,
		meta: func() []byte { return *n.meta.Load() }, state: n.state,
	}
	n.delegate = d
	c.Delegate, c.Events, c.Ping, c.Alive = d, d, d, d
	return c
}

// run owns the view: it takes the notes in order and tells of changes.
func (n *Node) run() {
	timer := time.NewTimer(idleTick)
	defer timer.Stop()
	for {
		select {
		case <-n.queue.ready:
		case <-timer.C:
		case <-n.ctx.Done():
			return
		}
		for _, nt := range n.queue.take() {
			n.handle(nt)
		}
		now := time.Now()
		n.store.prune(now)
		events, next := n.view.tick(now, n.maxSuspicion())
		n.emit(events)
		timer.Reset(max(0, time.Until(next)))
	}
}

// idleTick is how often members that are gone for long are forgotten, and those that are suspect for too long looked at.
const idleTick = 5 * time.Second

func (n *Node) handle(nt note) {
	switch {
	case nt.call != nil:
		nt.call()
	case nt.gossip != nil:
		n.received(nt.gossip)
	case nt.state != nil:
		n.receivedState(nt.state)
	case nt.change != nil:
		n.cfg.OnData(nt.change.application, nt.change.entry)
	default:
		n.emit(n.view.apply(nt, time.Now()))
		if nt.ping != nil {
			n.repair.pinged(nt.node, *nt.ping, n.digest.quiet())
		}
		if nt.joined != nil {
			n.deliverParked(nt.joined.ID)
			n.checkNamesake(nt.joined)
		}
	}
}

func (n *Node) emit(events []app.MemberEvent) {
	for _, e := range events {
		n.cfg.OnEvent(e)
	}
}

// barrier waits until all notes put before are handled, or ctx or the node ends.
func (n *Node) barrier(ctx context.Context) {
	done := make(chan struct{})
	n.queue.put(note{call: func() { close(done) }})
	select {
	case <-done:
	case <-ctx.Done():
	case <-n.ctx.Done():
	}
}

// Addr is host:port at which others reach this node; empty before Listen.
func (n *Node) Addr() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.addr
}

// Self is this node as it tells of itself.
func (n *Node) Self() app.Member { return n.view.me() }

// Members is the view, oldest first, with this node; those that are gone are in it for a while. The slice is shared by all
// who ask, and must not be changed; later changes of the view are not in it.
func (n *Node) Members() []app.Member { return n.view.listing().members }

// Number counts the Members that are like that. Whoever asks after each change of the view, of which a large group has many at a time, asks so; like
// is called with the view locked, and must not ask it for anything.
func (n *Node) Number(like func(app.Member) bool) int { return n.view.number(like) }

// Count says how many of Members are alive, and how many are suspected.
func (n *Node) Count() (alive, suspect int) {
	l := n.view.listing()
	return l.alive, l.suspect
}

// Member is the member with that id, if the view has it; it may be gone.
func (n *Node) Member(id string) (app.Member, bool) { return n.view.byID(id) }

// HealthScore is memberlist's: 0 is well.
func (n *Node) HealthScore() int {
	if ml := n.running(); ml != nil {
		return ml.GetHealthScore()
	}
	return 0
}

// Stats says how the node is.
func (n *Node) Stats() Stats {
	live, deleted := n.store.counts()
	return Stats{
		Entries: live, Tombstones: deleted, Refused: n.refused.Load(),
		HealthScore: n.HealthScore(),
		Queued:      n.gossip.queue.size(),
		Dropped:     n.queue.drops() + n.gossip.dropped.Load(),
		Syncs:       n.repair.syncs.Load(),
		Heals:       n.repair.heals.Load(),
	}
}

// running is nil before Start.
func (n *Node) running() *memberlist.Memberlist {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ml
}

func (n *Node) isClosed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

// active is the memberlist of a node that runs and has not left.
func (n *Node) active() (*memberlist.Memberlist, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ml == nil || n.left || n.closed {
		return nil, ErrNotRunning
	}
	return n.ml, nil
}

// spawn runs f in a goroutine that Close waits for. It reports false when the node is closed.
func (n *Node) spawn(f func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.wg.Go(f)
	return true
}
