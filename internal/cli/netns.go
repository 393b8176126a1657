package cli

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"sync"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/netns"
	"peerlab.example/peerlab/internal/network"
)

// ground is what the peers of a run stand on: the machine as it is, or a network of namespaces.
type ground struct {
	coordinator, bootstrap place
	lab                    *netns.Lab // nil for the machine as it is
	insecure               bool       // peers in namespaces may bind without TLS and a token
}

// place is where one of the coordinator's own servers listens, and with what.
type place struct {
	network network.Network
	listen  string
}

// newGround starts the namespaces, if the user wants them. The caller calls Close, after the processes
// of the run have ended.
func newGround(ctx context.Context, f *runFlags, peers []string, log zerolog.Logger) (*ground, error) {
	if f.how.runner != inNetns {
		here := &ground{coordinator: place{network.System(), f.listen}, bootstrap: place{network.System(), "127.0.0.1:0"}}
		switch f.how.runner {
		case onAttach:
			return attachGround(f, here), nil
		case onKubernetes:
			return kubernetesGround(f, here), nil
		}
		return here, nil
	}
	lab, err := netns.New(netns.Config{Peers: peers, Log: log})
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	if err := lab.Start(ctx); err != nil {
		return nil, err
	}
	at := func(n network.Network, addr netip.Addr) place { return place{n, net.JoinHostPort(addr.String(), "0")} }
	return &ground{
		coordinator: at(lab.HubNetwork(), lab.HubAddr()), bootstrap: at(lab.Network(network.Bootstrap), lab.Addr(network.Bootstrap)),
		lab: lab, insecure: f.security.Insecure,
	}, nil
}

// netnsRules says which rules of the network the kernel of this machine cannot make. It is tried once, when it is first asked for
// one that some kernels lack; what the machine lacks besides is told when the namespaces are started.
func netnsRules(ctx context.Context) func(network.Rule) error {
	check := sync.OnceValue(func() netns.Abilities {
		can, err := netns.Check(ctx)
		if err != nil {
			return netns.Abilities{}
		}
		return can
	})
	return func(r network.Rule) error {
		if !netns.NeedsNetem(r) {
			return nil
		}
		return check().Supports(r)
	}
}

// peer makes the command of a peer stand there. A peer has the same address in each of its lives.
func (g *ground) peer(name string, cmd *exec.Cmd) (*exec.Cmd, error) {
	if g.lab == nil {
		return cmd, nil
	}
	at := func(port int) string { return net.JoinHostPort(g.lab.Addr(name).String(), strconv.Itoa(port)) }
	cmd.Args = append(cmd.Args, "--listen", at(netns.RPCPort), "--gossip", at(netns.GossipPort))
	if g.insecure {
		cmd.Args = append(cmd.Args, "--insecure")
	}
	return g.lab.Command(name, cmd)
}

func (g *ground) Close() error {
	if g.lab == nil {
		return nil
	}
	return g.lab.Close()
}

// inNamespaces lets the peers bind addresses that are not of loopback where nothing protects these: nobody but
// the peers of the run, and root, can reach them.
func (f *runFlags) inNamespaces() {
	s := &f.security
	if f.how.runner == inNetns && (s.CertFile == "" || s.TokenFile == "") {
		s.Insecure = true
	}
}
