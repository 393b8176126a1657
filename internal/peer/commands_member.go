package peer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/membership"
)

func (p *Peer) memberCommands() []app.Spec {
	return slices.Concat(p.memberSteps(), p.memberEnds(), p.memberViews(), p.selfViews())
}

// memberSteps are the steps of joining and leaving.
func (p *Peer) memberSteps() []app.Spec {
	return []app.Spec{
		{
			Name: "member configure", Aliases: []string{"memberlist configure"},
			Summary: "choose the gossip profile and single timings; without arguments, show them",
			Detail: "Settings are FIELD=VALUE, such as probe-interval=200ms. The profile comes first, and settings change it.\n" +
				"Profiles: lan and wan are memberlist's; local is for one machine; fast detects a loss in about 1.5 s, for tests.\n" +
				"Before member start, all can be changed. While membership runs, these take effect at once:\n  " +
				strings.Join(membership.LiveFields(), ", ") + ".\n" +
				"The others are refused then; they need a restart: member leave, member configure, init.",
			Example: "member configure --profile fast probe-interval=300ms",
			Params: []app.Param{{
				Name: "setting", Kind: app.Word, Optional: true, Repeated: true, Complete: tuningFields,
			}},
			Flags: []app.Flag{{Name: "profile", Kind: app.Enum, Values: membership.Profiles(), Summary: "start from this profile"}},
			Run:   p.memberConfigure,
		},
		{
			Name: "member create", Aliases: []string{"memberlist create"},
			Summary: "let membership listen, so that the gossip address is known",
			Example: "member create",
			Run: p.exclusive(func(ctx context.Context, env *app.Env, _ app.Args) (any, error) {
				if err := p.create(ctx, sayTo(env)); err != nil {
					return nil, err
				}
				return p.reached(app.Field{Name: "gossip", Value: p.membership().Addr()}), nil
			}),
		},
		{
			Name: "member start", Aliases: []string{"memberlist start"},
			Summary: "start membership on the address that create took",
			Example: "member start",
			Run: p.exclusive(func(ctx context.Context, env *app.Env, _ app.Args) (any, error) {
				if err := p.start(ctx, sayTo(env)); err != nil {
					return nil, err
				}
				return p.reached(app.Field{Name: "gossip", Value: p.membership().Addr()}, app.Field{Name: "alive", Value: p.Alive()}), nil
			}),
		},
		{
			Name: "member join", Aliases: []string{"memberlist join"},
			Summary: "join the members of the roster, or those at the given gossip addresses",
			Example: "member join 127.0.0.1:7946",
			Params:  []app.Param{{Name: "addr", Kind: app.Addr, Optional: true, Repeated: true}},
			Run:     p.exclusive(p.memberJoin),
		},
		{
			Name: "member update", Aliases: []string{"memberlist update"},
			Summary: "announce this peer's address and applications once more",
			Detail:  "The peer does so by itself whenever they change.",
			Example: "member update",
			Run:     p.exclusive(p.memberUpdate),
		},
	}
}

// memberEnds are the ways out of the group.
func (p *Peer) memberEnds() []app.Spec {
	return []app.Spec{
		{
			Name: "member leave", Aliases: []string{"memberlist leave"},
			Summary: "stop the applications, say goodbye to the group and end membership; init may follow",
			Detail: "A step that runs, such as an init that waits for the bootstrap service, is ended first. When there is no time for the\n" +
				"goodbye to reach all, it says so: the others may take this peer for lost then.",
			Example: "member leave --timeout 2s",
			Flags: []app.Flag{{
				Name: "timeout", Kind: app.Duration, Default: leaveTimeout.String(), Summary: "how long all of it may take",
			}},
			Run: p.memberLeave,
		},
		{
			Name: "member shutdown", Aliases: []string{"memberlist shutdown", "member delete", "memberlist delete"},
			Summary: "stop the applications and end membership without a goodbye; init may follow",
			Detail: "A step that runs is ended first. This peer forgets its list of members and the replicated data; the others find it\n" +
				"lost. The place in the roster of the bootstrap service is kept until its lease ends, as after a crash.",
			Example: "member shutdown",
			Run:     p.memberShutdown,
		},
		{
			Name: "member shutdown-transport", Aliases: []string{"memberlist shutdown-transport", "memberlist shutdowntransport"},
			Summary: "close the sockets of gossip and nothing else, to see what this peer and the others believe then",
			Detail:  "Membership runs on without hearing anything. What helps afterwards is member leave or member shutdown, and init.",
			Example: "member shutdown-transport",
			Run:     p.exclusive(p.memberShutdownTransport),
		},
	}
}

func (p *Peer) memberConfigure(_ context.Context, _ *app.Env, args app.Args) (any, error) {
	t := p.Tuning()
	if args.Has("profile") {
		var err error
		if t, err = membership.Profile(args.String("profile")); err != nil {
			return nil, err
		}
	}
	for _, setting := range args.All("setting") {
		field, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, fmt.Errorf("setting %q is not FIELD=VALUE, such as probe-interval=200ms", setting)
		}
		if err := t.Set(field, value); err != nil {
			return nil, err
		}
	}
	if args.Has("profile") || args.Has("setting") {
		if err := p.configure(t); err != nil {
			return nil, err
		}
	}
	r := p.reached()
	for _, f := range t.Fields() {
		r = append(r, app.Field{Name: f.Name, Value: f.Value})
	}
	return r, nil
}

func (p *Peer) memberJoin(ctx context.Context, env *app.Env, args app.Args) (any, error) {
	if _, err := p.runningMembership("member join"); err != nil {
		return nil, err
	}
	var err error
	if addrs := args.All("addr"); len(addrs) > 0 {
		err = p.join(ctx, sayTo(env), addrs)
	} else {
		err = p.joinRoster(ctx, sayTo(env))
	}
	if err != nil {
		return nil, err
	}
	return p.reached(app.Field{Name: "alive", Value: p.Alive()}), nil
}

func (p *Peer) memberUpdate(ctx context.Context, _ *app.Env, _ app.Args) (any, error) {
	m, err := p.runningMembership("member update")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(p.announce(ctx), m.Announce()); err != nil {
		return nil, fmt.Errorf("member update: %w", err)
	}
	self := m.Self()
	return p.reached(app.Field{Name: "rpc", Value: self.RPCAddr}, app.Field{Name: "apps", Value: listed(self.Apps)}), nil
}

// nothingToEnd is the result of a way out for a peer that is in no group: an error, unless that way has just
// ended the step by which the peer came in.
func (p *Peer) nothingToEnd(command string, was *membership.Node) (any, error) {
	if was == nil {
		return nil, fmt.Errorf("%s: this peer is in no group yet; first: member create (or init)", command)
	}
	return p.reached(app.Field{Name: "goodbye", Value: "not needed: this peer had not come into the group"}), nil
}

func (p *Peer) memberLeave(ctx context.Context, _ *app.Env, args app.Args) (any, error) {
	limit := args.Duration("timeout")
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("member leave has not come to its turn within %v", limit))
	defer cancel()
	was := p.membership()
	ctx, release, err := p.enterFirst(ctx, false)
	if err != nil {
		return nil, err
	}
	defer release()
	m := p.membership()
	if m == nil {
		return p.nothingToEnd("member leave", was)
	}
	down := m.TransportDown()
	spread, err := p.leave(ctx)
	if err != nil {
		return nil, err
	}
	goodbye := "said"
	switch {
	case down:
		goodbye = "not said: the transport is shut down"
	case !spread:
		goodbye = fmt.Sprintf("did not spread within %s; the others may take this peer for lost", limit)
	}
	return p.reached(app.Field{Name: "goodbye", Value: goodbye}), nil
}

func (p *Peer) memberShutdown(ctx context.Context, _ *app.Env, _ app.Args) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	was := p.membership()
	ctx, release, err := p.enterFirst(ctx, false)
	if err != nil {
		return nil, err
	}
	defer release()
	if p.membership() == nil {
		return p.nothingToEnd("member shutdown", was)
	}
	if err := p.drop(ctx); err != nil {
		return nil, err
	}
	return p.reached(app.Field{Name: "goodbye", Value: "not said"}), nil
}

func (p *Peer) memberShutdownTransport(context.Context, *app.Env, app.Args) (any, error) {
	m, err := p.runningMembership("member shutdown-transport")
	if err != nil {
		return nil, err
	}
	if err := m.ShutdownTransport(); err != nil {
		return nil, err
	}
	return p.reached(), nil
}

func tuningFields() []app.Suggestion {
	var out []app.Suggestion
	t, err := membership.Profile("lan")
	if err != nil {
		return nil
	}
	for _, f := range t.Fields() {
		out = append(out, app.Suggestion{Text: f.Name + "=", Description: "such as " + f.Value})
	}
	return out
}
