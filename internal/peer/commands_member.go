package peer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/membership"
)

func (p *Peer) memberCommands() []app.Spec {
	return append(p.memberSteps(), p.memberViews()...)
}

// memberSteps are the steps of joining and leaving.
func (p *Peer) memberSteps() []app.Spec {
	return []app.Spec{
		{
			Name: "member configure", Aliases: []string{"memberlist configure"},
			Summary: "choose the gossip profile and single timings, before create; without arguments, show them",
			Detail: "Settings are FIELD=VALUE, such as probe-interval=200ms. The profile comes first, and settings change it.\n" +
				"Profiles: lan and wan are memberlist's; local is for one machine; fast detects a loss in about 1.5 s, for tests.",
			Example: "member configure --profile fast probe-interval=300ms",
			Params: []app.Param{{
				Name: "setting", Kind: app.Text, Optional: true, Repeated: true, Complete: tuningFields,
			}},
			Flags: []app.Flag{{Name: "profile", Kind: app.Enum, Values: membership.Profiles(), Summary: "start from this profile"}},
			Run:   p.exclusive(p.memberConfigure),
		},
		{
			Name: "member create", Aliases: []string{"memberlist create"},
			Summary: "let membership listen, so that the gossip address is known",
			Example: "member create",
			Run: p.exclusive(func(ctx context.Context, env *app.Env, _ app.Args) (any, error) {
				if err := p.create(ctx, sayTo(env)); err != nil {
					return nil, err
				}
				return "gossip listens on " + p.membership().Addr(), nil
			}),
		},
		{
			Name: "member start", Aliases: []string{"memberlist start"},
			Summary: "start membership on the address that create took",
			Example: "member start",
			Run: p.exclusive(func(ctx context.Context, env *app.Env, _ app.Args) (any, error) {
				return nil, p.start(ctx, sayTo(env))
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
			Name: "member leave", Aliases: []string{"memberlist leave", "memberlist delete"},
			Summary: "stop the applications, say goodbye to the group and end membership; init may follow",
			Example: "member leave",
			Run: p.exclusive(func(ctx context.Context, _ *app.Env, _ app.Args) (any, error) {
				if p.membership() == nil {
					return nil, errors.New("member leave: this peer is in no group")
				}
				return nil, p.leave(ctx)
			}),
		},
	}
}

// memberViews show who is there.
func (p *Peer) memberViews() []app.Spec {
	return []app.Spec{
		{
			Name: "member list", Aliases: []string{"members", "memberlist members", "memberlist list"},
			Summary: "list the members as this peer sees them, oldest first",
			Example: "member list --state alive",
			Flags: []app.Flag{{
				Name: "state", Kind: app.Enum, Summary: "only members in this state",
				Values: []string{string(app.Alive), string(app.Suspect), string(app.Left), string(app.Lost)},
			}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				t := app.Table{Columns: []string{"name", "state", "address", "rpc", "apps", "rtt", "joined"}}
				for _, m := range p.Members() {
					if s := args.String("state"); s == "" || s == string(m.State) {
						t.Add(selfMark(m), string(m.State), m.Addr, m.RPCAddr, strings.Join(m.Apps, ","), rtt(m), m.JoinedAt)
					}
				}
				return t, nil
			},
		},
		{
			Name: "member count", Aliases: []string{"memberlist count"},
			Summary: "count the members that are alive, with this one",
			Example: "member count",
			Run: func(context.Context, *app.Env, app.Args) (any, error) {
				n := 0
				for _, m := range p.Members() {
					if m.State == app.Alive {
						n++
					}
				}
				return n, nil
			},
		},
		{
			Name: "member info", Aliases: []string{"memberlist info"},
			Summary: "show all that is known of a member; without a name, of this peer",
			Example: "member info bob",
			Params:  []app.Param{{Name: "name", Kind: app.MemberName, Optional: true}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				name := args.String("name")
				if name == "" {
					name = p.cfg.Name
				}
				m, err := p.find(name)
				if err != nil {
					return nil, err
				}
				return p.describe(m), nil
			},
		},
	}
}

func (p *Peer) memberConfigure(_ context.Context, _ *app.Env, args app.Args) (any, error) {
	t := p.tuning()
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
	var r app.Record
	for _, f := range t.Fields() {
		r = append(r, app.Field{Name: f.Name, Value: f.Value})
	}
	return r, nil
}

func (p *Peer) memberJoin(ctx context.Context, env *app.Env, args app.Args) (any, error) {
	if addrs := args.All("addr"); len(addrs) > 0 {
		return nil, p.join(ctx, addrs, sayTo(env))
	}
	return nil, p.joinRoster(ctx, sayTo(env))
}

func (p *Peer) describe(m app.Member) app.Record {
	r := app.Record{
		{Name: "name", Value: m.Name}, {Name: "id", Value: m.ID}, {Name: "state", Value: string(m.State)},
		{Name: "address", Value: m.Addr}, {Name: "rpc", Value: m.RPCAddr}, {Name: "apps", Value: strings.Join(m.Apps, ",")},
		{Name: "joined", Value: m.JoinedAt}, {Name: "rtt", Value: rtt(m)},
	}
	if n := p.membership(); m.Self && n != nil {
		s := n.Stats()
		r = append(r, app.Field{Name: "health score", Value: s.HealthScore},
			app.Field{Name: "queued broadcasts", Value: s.Queued}, app.Field{Name: "dropped", Value: s.Dropped})
	}
	return r
}

func selfMark(m app.Member) string {
	if m.Self {
		return m.Name + " *"
	}
	return m.Name
}

func rtt(m app.Member) any {
	if m.RTT == 0 {
		return nil
	}
	return m.RTT
}

func unknownMember(name string, members []app.Member) error {
	if len(members) == 0 {
		return errors.New("this peer is in no group yet; first: init")
	}
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	if near := command.Nearest(name, names); near != "" {
		return fmt.Errorf("no member is called %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("no member is called %q", name)
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
