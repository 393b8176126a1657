package peer

import (
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/network"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// maxPlaces bounds the addresses whose names are remembered; above it, those of members that are forgotten go.
const maxPlaces = 8192

// places says who is at an address, for the rules of faults. An address keeps its name when the member is gone, so that a
// partition outlasts the memory of membership, until somebody else is seen there.
type places struct {
	bootstrap map[string]bool

	mu     sync.RWMutex
	byAddr map[string]place // guarded by mu
}

// place is who is at an address.
type place struct {
	name string
	seen bool // as a member; else the roster says so
}

func newPlaces(bootstrapAddr string) *places {
	p := &places{bootstrap: make(map[string]bool), byAddr: make(map[string]place)}
	for _, addr := range strings.Split(bootstrapAddr, ",") {
		if u, err := url.Parse(addr); err == nil && u.Host != "" {
			port := u.Port()
			if port == "" {
				port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
			}
			addr = net.JoinHostPort(u.Hostname(), port)
		}
		p.bootstrap[addr] = true
	}
	return p
}

// name is who is at an address, or "".
func (p *places) name(addr string) string {
	if p.bootstrap[addr] {
		return network.Bootstrap
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.byAddr[addr].name
}

// saw notes where a member is. One that is gone gives its addresses to nobody new.
func (p *places) saw(m app.Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, addr := range []string{m.Addr, m.RPCAddr} {
		if known := p.byAddr[addr]; addr != "" && (m.Live() || !known.seen) {
			p.byAddr[addr] = place{name: m.Name, seen: true}
		}
	}
}

// sawRoster notes where the members of a roster are, as far as membership does not know better.
func (p *places) sawRoster(r *bootstrapv1.Roster) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range r.GetPeers() {
		addr := entryAddr(e)
		if !p.byAddr[addr].seen {
			p.byAddr[addr] = place{name: e.GetName()}
		}
	}
}

// recalled notes where members were in an earlier start, as far as nothing better is known.
func (p *places) recalled(members []Acquaintance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range members {
		if m.Name != "" && p.byAddr[m.Addr].name == "" {
			p.byAddr[m.Addr] = place{name: m.Name}
		}
	}
}

// forget makes room, when there is need, by what the members do not have.
func (p *places) forget(members func() []app.Member) {
	p.mu.RLock()
	full := len(p.byAddr) > maxPlaces
	p.mu.RUnlock()
	if !full {
		return
	}
	keep := make(map[string]place)
	for _, m := range members() {
		for _, addr := range []string{m.Addr, m.RPCAddr} {
			if known := keep[addr]; addr != "" && (m.Live() || !known.seen) {
				keep[addr] = place{name: m.Name, seen: true}
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byAddr = keep
}

// Faults are those of this peer's network.
func (p *Peer) Faults() *network.Faults { return p.faults }

// SkewClock sets the clock of this peer so far ahead of the true time, or behind: that of its data, of the age that it announces, and of its
// events. Its timers are not touched, as those of a machine whose clock is set are not.
func (p *Peer) SkewClock(d time.Duration) {
	p.clock.Skew(d)
	p.deps.Events.Skew(d)
}

// onFault tells of a fault that was set or lifted.
func (p *Peer) onFault(r network.Rule, active bool) {
	p.deps.Events.Emit(&eventv1.Event{What: &eventv1.Event_Fault{Fault: &eventv1.Fault{Rule: r.String(), Active: active}}})
	p.log.Info().Str("rule", r.String()).Bool("active", active).Msg("fault")
}
