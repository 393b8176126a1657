package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Memory is a network in memory, for tests and for the simulation. Each host of it has an address of its own and is a Network.
// Nothing in it takes time unless Ways says so, and all waiting is on channels, so that it runs in virtual time (testing/synctest).
type Memory struct {
	dropped atomic.Uint64
	ways    *ways // nil when nothing takes time

	mu        sync.Mutex
	packets   map[string]*packetConn  // guarded by mu; by host:port
	listeners map[string]*listener    // guarded by mu; by host:port
	nextPort  map[string]int          // guarded by mu; by host
	conns     map[*conn]struct{}      // guarded by mu; all ends that are open
	killed    map[string]*atomic.Bool // guarded by mu; by host; set when the host's present processes are killed

	// topology is read at each Read and WriteTo, and so without the lock.
	topology atomic.Pointer[topology]
}

// topology says who reaches whom. It is never changed, but replaced.
type topology struct {
	side    map[string]int  // the side of a partition that a host is on; nil when there is none
	frozen  map[string]bool // hosts whose processes are stopped; nil when there are none
	changed chan struct{}   // closed when this topology is replaced
}

// dialTimeout ends a Dial whose context has no end, as a kernel does.
const dialTimeout = 30 * time.Second

// errKilled is what a killed process gets.
var errKilled = errors.New("host was killed")

// firstPort is where the ports given out for port 0 begin, as in the IANA range for them (RFC 6335).
const firstPort = 49152

// NewMemory returns a network without hosts.
func NewMemory() *Memory {
	m := &Memory{
		packets: map[string]*packetConn{}, listeners: map[string]*listener{}, nextPort: map[string]int{},
		conns: map[*conn]struct{}{}, killed: map[string]*atomic.Bool{},
	}
	m.topology.Store(&topology{changed: make(chan struct{})})
	return m
}

// Host is the network as a host with that IP address has it. After Kill, it is that of the
// processes started next.
func (m *Memory) Host(ip string) Network {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.killed[ip] == nil {
		m.killed[ip] = new(atomic.Bool)
	}
	return host{memory: m, ip: ip, killed: m.killed[ip]}
}

// Kill ends all processes of a host as kill -9 does: nothing listens there any more, connections
// are reset, and a Network that Host gave before does nothing any more.
func (m *Memory) Kill(ip string) {
	m.mu.Lock()
	if k := m.killed[ip]; k != nil {
		k.Store(true)
		delete(m.killed, ip)
	}
	var end []interface{ Close() error }
	for _, c := range m.packets {
		if c.addr.host() == ip {
			end = append(end, c)
		}
	}
	for _, l := range m.listeners {
		if l.addr.host() == ip {
			end = append(end, l)
		}
	}
	var reset []*conn
	for c := range m.conns {
		if c.local.host() == ip {
			reset = append(reset, c)
		}
	}
	m.mu.Unlock()
	for _, c := range end {
		_ = c.Close()
	}
	for _, c := range reset {
		c.reset()
	}
	m.Thaw(ip) // last: what it was about to send when it was frozen is never sent
}

// Partition splits the hosts into groups that cannot reach each other: packets are lost, connections
// stand still, and dialling waits. Hosts in no group form one of their own. It replaces an earlier partition.
func (m *Memory) Partition(groups ...[]string) {
	side := map[string]int{}
	for i, g := range groups {
		for _, ip := range g {
			side[ip] = i + 1
		}
	}
	m.setSides(side)
}

// Heal ends a partition. Connections that stood still go on.
func (m *Memory) Heal() { m.setSides(nil) }

// Dropped counts the packets that were lost: to a partition, to a full queue, or because nobody listened.
func (m *Memory) Dropped() uint64 { return m.dropped.Load() }

func (m *Memory) setSides(side map[string]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replace(topology{side: side, frozen: m.topology.Load().frozen})
}

// replace changes the topology. The lock is held.
func (m *Memory) replace(t topology) {
	t.changed = make(chan struct{})
	close(m.topology.Swap(&t).changed)
}

// Freeze stops all processes of a host, as far as a network can: whatever they read, write, dial or accept from now on waits until Thaw.
// To others the host is silent, its connections stay open, and what is sent to it waits in its queues as far as these go.
func (m *Memory) Freeze(ip string) { m.setFrozen(ip, true) }

// Thaw ends that.
func (m *Memory) Thaw(ip string) { m.setFrozen(ip, false) }

func (m *Memory) setFrozen(ip string, frozen bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.topology.Load()
	if old.frozen[ip] == frozen {
		return
	}
	next := maps.Clone(old.frozen)
	if next == nil {
		next = map[string]bool{}
	}
	delete(next, ip)
	if frozen {
		next[ip] = true
	}
	m.replace(topology{side: old.side, frozen: next})
}

// runs reports whether a host is not frozen, and gives a channel that is closed when that may change.
func (m *Memory) runs(ip string) (ok bool, changed <-chan struct{}) {
	t := m.topology.Load()
	return !t.frozen[ip], t.changed
}

// waitThawed waits while a host is frozen; false means that it was closed before.
func (m *Memory) waitThawed(ip string, closed <-chan struct{}) bool {
	for {
		ok, changed := m.runs(ip)
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-closed:
			return false
		}
	}
}

// link reports whether two hosts reach each other, and gives a channel that is closed when that may change.
func (m *Memory) link(a, b string) (ok bool, changed <-chan struct{}) {
	t := m.topology.Load()
	return t.side[a] == t.side[b], t.changed
}

// host is one host's view of the network.
type host struct {
	memory *Memory
	ip     string
	killed *atomic.Bool
}

// bind chooses the address to listen on. The lock is held.
func (h host) bind(addr string, taken func(string) bool) (string, error) {
	if h.killed.Load() {
		return "", &net.OpError{Op: "listen", Net: "memory", Addr: address(addr), Err: errKilled}
	}
	ip, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if ip != h.ip && ip != "0.0.0.0" && ip != "" {
		return "", &net.OpError{Op: "listen", Net: "memory", Addr: address(addr), Err: syscall.EADDRNOTAVAIL}
	}
	if port != "0" {
		addr = net.JoinHostPort(h.ip, port)
		if taken(addr) {
			return "", &net.OpError{Op: "listen", Net: "memory", Addr: address(addr), Err: syscall.EADDRINUSE}
		}
		return addr, nil
	}
	for range 1 << 14 {
		next := firstPort + h.memory.nextPort[h.ip]%(1<<14)
		h.memory.nextPort[h.ip]++
		if addr = net.JoinHostPort(h.ip, strconv.Itoa(next)); !taken(addr) {
			return addr, nil
		}
	}
	return "", fmt.Errorf("listen %s: %w", addr, errors.New("no port is free"))
}

func (h host) ListenPacket(_ context.Context, addr string) (net.PacketConn, error) {
	m := h.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	addr, err := h.bind(addr, func(a string) bool { return m.packets[a] != nil })
	if err != nil {
		return nil, err
	}
	c := newPacketConn(m, address(addr))
	m.packets[addr] = c
	return c, nil
}

func (h host) Listen(_ context.Context, _ Channel, addr string) (net.Listener, error) {
	m := h.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	// A port for packets alone is not given out: a peer wants the same number for both.
	addr, err := h.bind(addr, func(a string) bool { return m.listeners[a] != nil })
	if err != nil {
		return nil, err
	}
	l := &listener{memory: m, addr: address(addr), backlog: make(chan *conn, backlog), closed: make(chan struct{})}
	m.listeners[addr] = l
	return l, nil
}

func (h host) Dial(ctx context.Context, _ Channel, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := h.dial(ctx, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: address(addr), Err: err}
	}
	return c, nil
}

func (h host) dial(ctx context.Context, addr string) (*conn, error) {
	ip, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	for {
		up, changed := h.memory.runs(h.ip)
		reached, _ := h.memory.link(h.ip, ip)
		if up && reached {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, dialError(ctx)
		}
	}
	if err := h.memory.shakeHands(ctx, h.ip, ip); err != nil {
		return nil, err
	}
	near, far, l, err := h.connect(addr)
	if err != nil {
		return nil, err
	}
	select {
	case l.backlog <- far:
		select {
		case <-l.closed: // perhaps after the listener looked for those that wait
			_ = l.Close()
		default:
		}
		return near, nil
	case <-l.closed:
		near.reset()
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		near.reset()
		return nil, dialError(ctx)
	}
}

// connect makes both ends of a connection to the listener at addr.
func (h host) connect(addr string) (near, far *conn, l *listener, err error) {
	m := h.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if h.killed.Load() {
		return nil, nil, nil, errKilled
	}
	if l = m.listeners[addr]; l == nil {
		return nil, nil, nil, syscall.ECONNREFUSED
	}
	local := net.JoinHostPort(h.ip, strconv.Itoa(firstPort+m.nextPort[h.ip]%(1<<14)))
	m.nextPort[h.ip]++
	near, far = newConns(m, address(local), address(addr))
	m.conns[near], m.conns[far] = struct{}{}, struct{}{}
	return near, far, l, nil
}

// dialError says Timeout() when the time was up, as that of a kernel does.
func dialError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return ctx.Err()
}

// address is a net.Addr of the network in memory.
type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }

func (a address) host() string {
	ip, _, _ := net.SplitHostPort(string(a)) // made by bind, or checked by Dial
	return ip
}
