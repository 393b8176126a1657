package peer

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"peerlab.example/peerlab/app"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

func (p *Peer) bootstrapCommands() []app.Spec {
	return append(p.rosterPlace(), p.rosterAdmin()...)
}

// rosterPlace are the commands about this peer's own place.
func (p *Peer) rosterPlace() []app.Spec {
	return []app.Spec{
		{
			Name:    "bootstrap join",
			Summary: "register at the bootstrap service and learn whom to contact first",
			Detail:  "Tries until the service answers, or --bootstrap-timeout of the peer ends. Needs the gossip address: member create.",
			Example: "bootstrap join",
			Run: p.exclusive(func(ctx context.Context, env *app.Env, _ app.Args) (any, error) {
				if err := p.needBootstrap(); err != nil {
					return nil, err
				}
				if err := p.bootstrapJoin(ctx, sayTo(env)); err != nil {
					return nil, err
				}
				return rosterTable(p.lastRoster()), nil
			}),
		},
		{
			Name:    "bootstrap leave",
			Summary: "give the place in the roster up",
			Example: "bootstrap leave",
			Run: p.exclusive(func(ctx context.Context, _ *app.Env, _ app.Args) (any, error) {
				p.mu.Lock()
				k := p.keeper
				p.keeper = nil
				p.mu.Unlock()
				if k == nil {
					return nil, errors.New("bootstrap leave: this peer has not joined the roster")
				}
				return nil, k.leave(ctx)
			}),
		},
		{
			Name:    "bootstrap list",
			Summary: "show the roster as the service holds it now",
			Example: "bootstrap list",
			Run: p.calling(func(ctx context.Context, _ app.Args) (*bootstrapv1.Roster, error) {
				r, err := p.deps.Bootstrap.List(ctx, &bootstrapv1.ListRequest{Group: p.groupName()})
				return r.GetRoster(), err
			}),
		},
		{
			Name: "bootstrap local", Aliases: []string{"bootstrap locallist"},
			Summary: "show the roster as this peer last saw it, without asking the service",
			Example: "bootstrap local",
			Run: func(context.Context, *app.Env, app.Args) (any, error) {
				r := p.lastRoster()
				if r == nil {
					return nil, errors.New("bootstrap local: this peer has not seen a roster yet; first: bootstrap join (or init)")
				}
				return rosterTable(r), nil
			},
		},
		{
			Name:    "bootstrap refill",
			Summary: "offer this peer for a place in the roster",
			Detail:  "It is added if there is room; else it replaces the newest held peer if it is older. Peers do this by themselves when a bootstrap peer is gone.",
			Example: "bootstrap refill",
			Run:     p.exclusive(p.calling(p.bootstrapRefill)),
		},
	}
}

// rosterAdmin are the commands about the roster as a whole.
func (p *Peer) rosterAdmin() []app.Spec {
	return []app.Spec{
		{
			Name:    "bootstrap reset",
			Summary: "empty the roster of the group; its configuration stays",
			Example: "bootstrap reset",
			Run: p.calling(func(ctx context.Context, _ app.Args) (*bootstrapv1.Roster, error) {
				r, err := p.deps.Bootstrap.Reset(ctx, &bootstrapv1.ResetRequest{Group: p.groupName()})
				return r.GetRoster(), err
			}),
		},
		{
			Name:    "bootstrap config",
			Summary: "show the configuration of the group's roster, or change it",
			Example: "bootstrap config --max-peers 3",
			Flags: []app.Flag{
				{Name: "max-peers", Kind: app.Int, Summary: "how many peers the roster holds; lowering it drops the newest"},
				{Name: "min-refill-candidates", Kind: app.Int, Summary: "how many members offer themselves when a bootstrap peer is gone"},
				{Name: "lease", Kind: app.Duration, Summary: "how long an entry lives without being renewed"},
			},
			Run: p.bootstrapConfig,
		},
	}
}

func (p *Peer) needBootstrap() error {
	if p.deps.Bootstrap == nil {
		return errors.New("this peer has no bootstrap service; start it with --bootstrap HOST:PORT")
	}
	return nil
}

// calling makes a command of a call that answers with the roster.
func (p *Peer) calling(call func(context.Context, app.Args) (*bootstrapv1.Roster, error)) run {
	return func(ctx context.Context, _ *app.Env, args app.Args) (any, error) {
		if err := p.needBootstrap(); err != nil {
			return nil, err
		}
		r, err := call(ctx, args)
		if err != nil {
			return nil, p.bootstrapError(err)
		}
		p.sawRoster(r)
		return rosterTable(r), nil
	}
}

func (p *Peer) bootstrapRefill(ctx context.Context, _ app.Args) (*bootstrapv1.Roster, error) {
	self, err := p.self()
	if err != nil {
		return nil, err
	}
	r, err := p.deps.Bootstrap.Refill(ctx, &bootstrapv1.RefillRequest{Group: p.groupName(), Candidate: self})
	if err != nil {
		return nil, err
	}
	p.keep(self, r.GetRoster(), r.GetHeld())
	return r.GetRoster(), nil
}

func (p *Peer) bootstrapConfig(ctx context.Context, _ *app.Env, args app.Args) (any, error) {
	if err := p.needBootstrap(); err != nil {
		return nil, err
	}
	c := &bootstrapv1.Config{}
	mask := &fieldmaskpb.FieldMask{}
	if args.Has("max-peers") {
		c.MaxPeers = uint32(args.Int("max-peers")) //nolint:gosec // the service checks the range
		mask.Paths = append(mask.Paths, "max_peers")
	}
	if args.Has("min-refill-candidates") {
		c.MinRefillCandidates = uint32(args.Int("min-refill-candidates")) //nolint:gosec // as above
		mask.Paths = append(mask.Paths, "min_refill_candidates")
	}
	if args.Has("lease") {
		c.Lease = durationpb.New(args.Duration("lease"))
		mask.Paths = append(mask.Paths, "lease")
	}
	if len(mask.Paths) == 0 {
		r, err := p.deps.Bootstrap.GetConfig(ctx, &bootstrapv1.GetConfigRequest{Group: p.groupName()})
		if err != nil {
			return nil, p.bootstrapError(err)
		}
		return configRecord(r.GetConfig()), nil
	}
	r, err := p.deps.Bootstrap.UpdateConfig(ctx, &bootstrapv1.UpdateConfigRequest{Group: p.groupName(), Config: c, UpdateMask: mask})
	if err != nil {
		return nil, p.bootstrapError(err)
	}
	p.sawRoster(r.GetRoster())
	return configRecord(r.GetRoster().GetConfig()), nil
}

// bootstrapError says which service did not do it, in the words of the service.
func (p *Peer) bootstrapError(err error) error {
	return fmt.Errorf("bootstrap service %s: %s", p.cfg.BootstrapAddr, reason(err))
}

func configRecord(c *bootstrapv1.Config) app.Record {
	return app.Record{
		{Name: "max_peers", Value: c.GetMaxPeers()},
		{Name: "min_refill_candidates", Value: c.GetMinRefillCandidates()},
		{Name: "lease", Value: c.GetLease().AsDuration()},
	}
}

func rosterTable(r *bootstrapv1.Roster) app.Table {
	t := app.Table{Columns: []string{"name", "address", "joined", "expires", "id"}}
	for _, e := range r.GetPeers() {
		t.Add(e.GetName(), entryAddr(e),
			e.GetJoinedAt().AsTime().Local(), e.GetExpiresAt().AsTime().Local(), e.GetId())
	}
	return t
}
