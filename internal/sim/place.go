package sim

import (
	"fmt"
	"net"
	"sync"

	"peerlab.example/peerlab/internal/network"
)

// The hosts that are no peers.
const (
	coordinatorIP = "10.255.0.1"
	bootstrapIP   = "10.255.0.2"
)

// places are the hosts of a simulation and who is on them.
type places struct {
	memory *network.Memory

	mu    sync.Mutex
	names map[string]string // guarded by mu; by address
	ips   map[string]string // guarded by mu; by name
}

func newPlaces() *places {
	p := &places{memory: network.NewMemory(), names: map[string]string{}, ips: map[string]string{}}
	p.put(network.Bootstrap, bootstrapIP)
	return p
}

func (p *places) put(name, ip string) { p.names[ip], p.ips[name] = name, ip }

// ip is the address of a peer, the same in each of its lives.
func (p *places) ip(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ips[name] == "" {
		n := len(p.ips)
		p.put(name, fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&0xff, n&0xff))
	}
	return p.ips[name]
}

// who is the name of the host with that host:port, or "".
func (p *places) who(addr string) string {
	ip, _, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.names[ip]
}
