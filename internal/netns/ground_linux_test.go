package netns

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/network"
)

// ground is where the same scenario is played: in namespaces with the kernel's faults, or on loopback with
// the rules of package network.
type ground interface {
	// network is what a peer sends with, and host the address it binds.
	network(name string) network.Network
	host(name string) string
	// set puts a rule in force; heal ends all.
	set(t *testing.T, rule string)
	heal(t *testing.T)
	// full reports whether it can make all faults, and not only cuts and bandwidth.
	full(t *testing.T) bool
}

// grounds are all grounds, by name; each starts one for some peers.
var grounds = map[string]func(t *testing.T, peers []string) ground{
	"kernel": func(t *testing.T, peers []string) ground { return kernelGround{startLab(t, peers...)} },
	"rules":  newRulesGround,
}

// kernelGround is a lab. Sockets that this process opens in the namespaces are used as if they were
// those of another, which spares the test the processes.
type kernelGround struct{ *Lab }

func (g kernelGround) network(name string) network.Network {
	return g.Network(name)
}

func (g kernelGround) host(name string) string { return g.Addr(name).String() }

func (g kernelGround) set(t *testing.T, rule string) {
	t.Helper()
	set(t, g.Lab, rule)
}

func (g kernelGround) heal(t *testing.T) {
	t.Helper()
	heal(t, g.Lab)
}

func (g kernelGround) full(t *testing.T) bool {
	if g.abilities.Netem != nil {
		t.Logf("not compared: %v", g.abilities.Netem)
	}
	return g.abilities.Netem == nil
}

// rulesGround are peers on loopback, each with the rules of package network.
type rulesGround struct {
	hosts  map[string]string
	faults map[string]*network.Faults
}

func newRulesGround(t *testing.T, peers []string) ground {
	g := rulesGround{map[string]string{}, map[string]*network.Faults{}}
	names := map[string]string{}
	for i, name := range peers {
		g.hosts[name] = fmt.Sprintf("127.213.0.%d", i+2)
		names[g.hosts[name]] = name
	}
	for i, name := range peers {
		f := network.NewFaults(network.System(), uint64(i))
		f.Bind(name, func(addr string) string {
			host, _, _ := net.SplitHostPort(addr)
			return names[host]
		}, nil)
		g.faults[name] = f
		t.Cleanup(func() { _ = f.Close() })
	}
	return g
}

func (g rulesGround) network(name string) network.Network { return g.faults[name] }

func (g rulesGround) host(name string) string { return g.hosts[name] }

func (g rulesGround) set(t *testing.T, rule string) {
	t.Helper()
	r, err := network.ParseRule(rule)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range g.faults {
		if _, err := f.Set(r); err != nil {
			t.Fatal(err)
		}
	}
}

func (g rulesGround) heal(*testing.T) {
	for _, f := range g.faults {
		f.HealAll()
	}
}

func (rulesGround) full(*testing.T) bool { return true }

// group is some members on a ground.
type group struct {
	names []string
	nodes []*membership.Node
}

// startGroup starts a member for each name and waits until all see all.
func startGroup(t *testing.T, g ground, names []string) *group {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	s := &group{names: names}
	for i, name := range names {
		c := membership.DefaultConfig()
		c.ID, c.Name, c.Group = fmt.Sprintf("%012d", i+1), name, "compare"
		c.Tuning, _ = membership.Profile("fast")
		c.Tuning.ProbeTimeout, c.Tuning.ProbeInterval = 400*time.Millisecond, 500*time.Millisecond
		c.BindAddr = fmt.Sprintf("%s:%d", g.host(name), gossipPort(g))
		c.Seeds = func() []string { return s.addrs(i) }
		n, err := membership.New(c, g.network(name), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		if err := n.Listen(ctx); err != nil {
			t.Fatal(err)
		}
		s.nodes = append(s.nodes, n)
	}
	for i, n := range s.nodes {
		if err := n.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			// Again, since the timeout of the profile is short for a machine that is busy.
			eventuallyFor(t, 20*time.Second, func() error {
				_, err := n.Join(ctx, []string{s.nodes[0].Addr()})
				return err
			})
		}
	}
	s.see(t, everybody(names)...)
	return s
}

// gossipPort is any on a ground where peers share an address.
func gossipPort(g ground) int {
	if _, ok := g.(kernelGround); ok {
		return GossipPort
	}
	return 0
}

// addrs are the addresses of all before one, as a roster would tell it.
func (s *group) addrs(i int) []string {
	if i == 0 {
		return nil
	}
	return []string{s.nodes[0].Addr()}
}

// everybody is the views when all see all.
func everybody(names []string) []string {
	return slices.Repeat([]string{strings.Join(names, " ")}, len(names))
}

// view is whom a member takes for alive, in order.
func (s *group) view(i int) string {
	var alive []string
	for _, m := range s.nodes[i].Members() {
		if m.State == app.Alive {
			alive = append(alive, m.Name)
		}
	}
	slices.Sort(alive)
	return strings.Join(alive, " ")
}

// see waits until each member sees what it should, and that for half a second.
func (s *group) see(t *testing.T, want ...string) {
	t.Helper()
	since := time.Now()
	eventuallyFor(t, 40*time.Second, func() error {
		for i, name := range s.names {
			if got := s.view(i); got != want[i] {
				since = time.Now()
				return fmt.Errorf("%s sees %q, want %q", name, got, want[i])
			}
		}
		if time.Since(since) < 500*time.Millisecond {
			return fmt.Errorf("the views %q are too new", want)
		}
		return nil
	})
}

// roundTrip waits until a member's probes of another take as long as they should, and returns that.
func (s *group) roundTrip(t *testing.T, from, to int, least, most time.Duration) time.Duration {
	t.Helper()
	var rtt time.Duration
	eventuallyFor(t, 40*time.Second, func() error {
		for _, m := range s.nodes[from].Members() {
			if m.Name == s.names[to] {
				rtt = m.RTT
			}
		}
		if rtt < least || rtt > most {
			return fmt.Errorf("%s takes %s to %s, want %s to %s", s.names[from], rtt, s.names[to], least, most)
		}
		return nil
	})
	return rtt
}
