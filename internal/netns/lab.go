package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/network"
)

// Ports that peers bind in their namespaces. Faults on one channel are told apart by GossipPort, so all
// peers of a lab must use it.
const (
	GossipPort = 7946 // UDP: packets, TCP: streams
	RPCPort    = 7800 // TCP; all TCP that is not gossip counts as rpc
)

// MaxPeers is the most that one lab holds: a bridge of Linux has 1023 ports.
const MaxPeers = 1000

// DefaultSubnet is where the peers of a lab have their addresses. It exists only in the lab's own
// namespaces, so each lab may use the same, also beside a real network of these addresses.
const DefaultSubnet = "10.213.0.0/16"

// linkGroup is the group of all links to peers in the hub, by which they are taken down at once.
const linkGroup = "77"

// Config is of one lab.
type Config struct {
	// Peers are the names of all that will be started, at most MaxPeers. The bootstrap service has a
	// namespace beside them, and is called network.Bootstrap.
	Peers []string
	// Subnet is an IPv4 network with room for two addresses more than there are peers; the zero value is DefaultSubnet.
	Subnet netip.Prefix
	Log    zerolog.Logger
}

// Lab is a network of namespaces, and the faults in it. All methods may be called from any goroutine.
type Lab struct {
	cfg   Config
	hub   string // the namespace with the bridge
	log   zerolog.Logger
	peers map[string]*peer // fixed; with the bootstrap service
	order []*peer

	abilities Abilities // valid after Start

	expiring sync.WaitGroup // timers of rules that run out

	mu     sync.Mutex
	names  []string // guarded by mu; of the namespaces to remove
	closed bool     // guarded by mu
	active []*fault // guarded by mu; in the order they were set
}

// peer is a place in the lab for a peer, which lasts also while no process of it runs.
type peer struct {
	name  string
	index int // from 0
	ns    string
	addr  netip.Addr

	// flows is what the queues of the link do to packets to others, by place; guarded by mu of the lab.
	flows map[place]flow
	// copies is what the port to the peer copies; guarded by mu of the lab.
	copies copies
}

// port is the end of the peer's link in the hub.
func (p *peer) port() string { return fmt.Sprintf("p%d", p.index+1) }

// validPeer is what a suite can call a peer; such a name can be a part of a file name.
var validPeer = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,62}$`)

// New returns a lab, which does nothing before Start.
func New(cfg Config) (*Lab, error) {
	if cfg.Subnet == (netip.Prefix{}) {
		cfg.Subnet = netip.MustParsePrefix(DefaultSubnet)
	}
	cfg.Subnet = cfg.Subnet.Masked()
	places := append([]string{network.Bootstrap}, cfg.Peers...)
	if len(cfg.Peers) > MaxPeers {
		return nil, fmt.Errorf("%d peers are too many: one bridge connects at most %d", len(cfg.Peers), MaxPeers)
	}
	// The first address names the network, the last all that are in it.
	if bits := cfg.Subnet.Addr().BitLen() - cfg.Subnet.Bits(); !cfg.Subnet.Addr().Is4() || bits < 2 || bits < 31 && 1<<bits-2 < len(places)+1 {
		return nil, fmt.Errorf("subnet %s has no room for %d IPv4 addresses", cfg.Subnet, len(places)+1)
	}
	l := &Lab{cfg: cfg, log: cfg.Log.With().Str("component", "netns").Logger(), peers: map[string]*peer{}}
	addr := l.HubAddr()
	for i, name := range places {
		if !validPeer.MatchString(name) || l.peers[name] != nil {
			return nil, fmt.Errorf("%q cannot be the name of a peer here: a letter, then letters, digits, ., _ and -, each name once", name)
		}
		addr = addr.Next()
		p := &peer{name: name, index: i, addr: addr, flows: map[place]flow{}}
		l.peers[name] = p
		l.order = append(l.order, p)
	}
	return l, nil
}

// HubAddr is the address of the bridge, at which the peers reach what is opened with HubNetwork.
func (l *Lab) HubAddr() netip.Addr { return l.cfg.Subnet.Addr().Next() }

// Addr is the address of a peer, or of the bootstrap service; the zero value if there is none of that name.
func (l *Lab) Addr(name string) netip.Addr {
	if p := l.peers[name]; p != nil {
		return p.addr
	}
	return netip.Addr{}
}

// Namespace is the name of a peer's namespace, for "ip netns exec"; valid after Start.
func (l *Lab) Namespace(name string) string {
	if p := l.peers[name]; p != nil {
		return p.ns
	}
	return ""
}

// Abilities are what the machine can do beyond what every lab needs; valid after Start.
func (l *Lab) Abilities() Abilities { return l.abilities }

// Start checks the machine, removes what killed runs left behind, and builds the namespaces. After an
// error nothing is left. A machine that cannot do it is a *MissingError.
func (l *Lab) Start(ctx context.Context) error {
	a, err := Check(ctx)
	if err != nil {
		return err
	}
	l.abilities = a
	if swept, err := Sweep(ctx); err != nil {
		l.log.Warn().Err(err).Msg("namespaces of a run that was killed cannot be removed")
	} else if len(swept) > 0 {
		l.log.Info().Int("namespaces", len(swept)).Msg("removed what runs left behind that were killed")
	}
	if l.hub, err = newHubName(); err != nil {
		return err
	}
	if err := l.build(ctx); err != nil {
		return errors.Join(fmt.Errorf("build the namespaces: %w", err), l.Close())
	}
	return nil
}

// build makes the hub and the peers' namespaces, with links.
func (l *Lab) build(ctx context.Context) error {
	names := []string{l.hub}
	for _, p := range l.order {
		p.ns = l.hub + "-" + p.name
		names = append(names, p.ns)
	}
	l.mu.Lock()
	l.names = names // before they are there: some may be when it fails
	l.mu.Unlock()
	var add []string
	for _, ns := range names {
		add = append(add, "netns add "+ns)
	}
	if err := batch(ctx, "ip", "", add); err != nil {
		return err
	}
	bits := l.cfg.Subnet.Bits()
	hub := []string{
		"link set lo up",
		"link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
		fmt.Sprintf("address add %s/%d broadcast + dev br0", l.HubAddr(), bits),
		"link set br0 up",
	}
	for _, p := range l.order {
		link := p.port()
		hub = append(hub, fmt.Sprintf("link add %s type veth peer name eth0 netns %s", link, p.ns), "link set "+link+" master br0 group "+linkGroup+" up")
	}
	if err := batch(ctx, "ip", l.hub, hub); err != nil {
		return err
	}
	for _, p := range l.order {
		if err := l.furnish(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// furnish gives a namespace its address and the queues that faults are made with.
func (l *Lab) furnish(ctx context.Context, p *peer) error {
	err := batch(ctx, "ip", p.ns, []string{
		"link set lo up",
		fmt.Sprintf("address add %s/%d broadcast + dev eth0", p.addr, l.cfg.Subnet.Bits()),
		// One packet of the kernel is one on the wire, so that loss and reordering meet single packets.
		"link set eth0 gso_max_segs 1",
		"link set eth0 up",
	})
	if err != nil {
		return err
	}
	return batch(ctx, "tc", p.ns, queues())
}

// Command makes a command run in the namespace of a peer. The process is the one that the caller
// starts, not a child of another: ip replaces itself by the program, and what the caller set for its
// end (PR_SET_PDEATHSIG) lasts. A name by which the program is called (its first argument) lasts if
// the program is found by it.
func (l *Lab) Command(name string, cmd *exec.Cmd) (*exec.Cmd, error) {
	p := l.peers[name]
	if p == nil || p.ns == "" {
		return nil, fmt.Errorf("there is no namespace for %q", name)
	}
	if cmd.Err != nil {
		return nil, cmd.Err
	}
	ip, err := exec.LookPath("ip")
	if err != nil {
		return nil, err
	}
	cmd.Args = slices.Concat([]string{ip, "netns", "exec", p.ns, calledBy(cmd)}, cmd.Args[min(1, len(cmd.Args)):])
	cmd.Path = ip
	return cmd, nil
}

// calledBy is the path by which a program is to be run. A program may be several in one, told apart by
// the name it is called by; ip calls a program by its path only.
func calledBy(cmd *exec.Cmd) string {
	if len(cmd.Args) == 0 {
		return cmd.Path
	}
	path, err := exec.LookPath(cmd.Args[0])
	if err != nil {
		return cmd.Path
	}
	if path, err = filepath.Abs(path); err != nil {
		return cmd.Path
	}
	named, err1 := os.Stat(path)
	meant, err2 := os.Stat(cmd.Path)
	if err1 != nil || err2 != nil || !os.SameFile(named, meant) {
		return cmd.Path
	}
	return path
}

// Close takes everything down; it is idempotent. Processes in the namespaces have ended by then. What
// still runs there has no network any more.
func (l *Lab) Close() error {
	l.mu.Lock()
	names := l.names
	l.names, l.closed = nil, true
	for _, f := range l.active {
		f.stop(l)
	}
	l.active = nil
	l.mu.Unlock()
	l.expiring.Wait()
	if len(names) == 0 {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), tearDownTimeout)
	defer stop()
	// A namespace lives as long as a socket or a process is in it; without its link it is of no use. The
	// hub may not have been built, then this fails and nothing is lost.
	if err := batch(ctx, "ip", l.hub, []string{"link delete group " + linkGroup}); err != nil {
		l.log.Debug().Err(err).Msg("no links to take down")
	}
	return remove(ctx, names)
}
