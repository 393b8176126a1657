package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

// Memory is a network in memory, for tests and for the simulation. Each host of it has an address of its own and is a Network.
// Nothing in it takes time, and all waiting is on channels, so that it runs in virtual time (testing/synctest).
type Memory struct {
	dropped atomic.Uint64

	mu        sync.Mutex
	packets   map[string]*packetConn // guarded by mu; by host:port
	listeners map[string]*listener   // guarded by mu; by host:port
	nextPort  map[string]int         // guarded by mu; by host
	side      map[string]int         // guarded by mu; the side of a partition that a host is on; nil when there is none
	changed   chan struct{}          // guarded by mu; closed and replaced when side changes
}

// firstPort is where the ports given out for port 0 begin, as in the IANA range for them (RFC 6335).
const firstPort = 49152

// NewMemory returns a network without hosts.
func NewMemory() *Memory {
	return &Memory{
		packets: map[string]*packetConn{}, listeners: map[string]*listener{}, nextPort: map[string]int{},
		changed: make(chan struct{}),
	}
}

// Host is the network as a host with that IP address has it.
func (m *Memory) Host(ip string) Network { return host{memory: m, ip: ip} }

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
	m.side = side
	close(m.changed)
	m.changed = make(chan struct{})
}

// link reports whether two hosts reach each other, and gives a channel that is closed when that may change.
func (m *Memory) link(a, b string) (ok bool, changed <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.side[a] == m.side[b], m.changed
}

// host is one host's view of the network.
type host struct {
	memory *Memory
	ip     string
}

// bind chooses the address to listen on. The lock is held.
func (h host) bind(addr string, taken func(string) bool) (string, error) {
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
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: address(addr), Err: err}
	}
	ip, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fail(err)
	}
	for {
		ok, changed := h.memory.link(h.ip, ip)
		if ok {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fail(ctx.Err())
		}
	}
	h.memory.mu.Lock()
	l := h.memory.listeners[addr]
	local := net.JoinHostPort(h.ip, strconv.Itoa(firstPort+h.memory.nextPort[h.ip]%(1<<14)))
	h.memory.nextPort[h.ip]++
	h.memory.mu.Unlock()
	if l == nil {
		return fail(syscall.ECONNREFUSED)
	}
	near, far := newConns(h.memory, address(local), address(addr))
	select {
	case l.backlog <- far:
		return near, nil
	case <-l.closed:
		return fail(syscall.ECONNREFUSED)
	case <-ctx.Done():
		return fail(ctx.Err())
	}
}

// address is a net.Addr of the network in memory.
type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }

func (a address) host() string {
	ip, _, _ := net.SplitHostPort(string(a)) // made by bind, or checked by Dial
	return ip
}
