package cli

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/testcoord"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// rendezvous is the bootstrap service of a run: one of its own, or another's.
type rendezvous struct {
	own    *lab.Bootstrap // nil when it is another's
	addr   string         // as peers are told
	client bootstrapv1.BootstrapServiceClient
	hangUp func() error
}

// newRendezvous starts the service of a run, or connects to the one that the user named. The caller calls Close.
func newRendezvous(ctx context.Context, f *runFlags, g *ground, security *node.Security, log zerolog.Logger) (*rendezvous, error) {
	r := &rendezvous{addr: f.attach.bootstrap}
	dial := r.addr
	if r.addr == "" {
		var err error
		r.own, err = lab.StartBootstrap(ctx, lab.BootstrapConfig{Listen: g.bootstrap.listen, Network: g.bootstrap.network, Security: security, Log: log})
		if err != nil {
			return nil, bindError(err)
		}
		r.addr = f.attach.reach(r.own.Addr())
		dial = r.addr
		if f.how.runner == onKubernetes { // this process need not reach what pods do
			r.addr, dial = f.kubernetes.advertised(f, r.own.Addr(), false), nearby(r.own.Addr())
		}
	}
	conn, hangUp, err := dialBootstrap(g.coordinator.network, security, dial)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.client, r.hangUp = bootstrapv1.NewBootstrapServiceClient(conn), hangUp
	return r, nil
}

// control is what a suite may do to the service; nil when it is another's.
func (r *rendezvous) control() testcoord.BootstrapControl {
	if r.own == nil {
		return nil
	}
	return r.own
}

// Close hangs up, and ends the service if it is the run's own.
func (r *rendezvous) Close() error {
	var err error
	if r.hangUp != nil {
		err = r.hangUp()
	}
	if r.own != nil {
		err = errors.Join(err, r.own.Close())
	}
	return err
}
