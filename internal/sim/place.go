package sim

import (
	"fmt"
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

	mu      sync.Mutex
	ips     map[string]string // guarded by mu; by name
	numbers map[string]int    // guarded by mu; by address
}

// newPlaces has the bootstrap service as its first host.
func newPlaces(profile string, seed uint64) *places {
	p := &places{memory: network.NewMemory(), ips: map[string]string{network.Bootstrap: bootstrapIP}, numbers: map[string]int{bootstrapIP: 0}}
	p.memory.Ways(seed, func(from, to string) network.Way { return p.way(profile, from, to) })
	return p
}

// way is none to the coordinator, which no peer of a real lab would share its network with.
func (p *places) way(profile, from, to string) network.Way {
	if from == coordinatorIP || to == coordinatorIP {
		return network.Way{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return way(profile, p.numbers[from], p.numbers[to])
}

// ip is the address of a peer, the same in each of its lives.
func (p *places) ip(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ips[name] == "" {
		n := len(p.ips)
		ip := fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&0xff, n&0xff)
		p.ips[name], p.numbers[ip] = ip, n
	}
	return p.ips[name]
}
