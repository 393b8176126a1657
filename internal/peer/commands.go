package peer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"peerlab.example/peerlab/app"
)

// Commands are those of the peer and of its applications. They may be listed without Start.
func (p *Peer) Commands() []app.Spec {
	specs := []app.Spec{p.initCommand(), p.metricsCommand()}
	specs = append(specs, p.bootstrapCommands()...)
	specs = append(specs, p.memberCommands()...)
	specs = append(specs, p.broadcastCommands()...)
	specs = append(specs, p.faultCommands()...)
	for _, h := range p.apps {
		specs = append(specs, p.appCommands(h)...)
		for _, spec := range h.app.Commands() {
			if spec.Run != nil { // else the table refuses it
				spec.Run = p.informed(spec.Run)
			}
			specs = append(specs, spec)
		}
	}
	return specs
}

// observeMost is how long the command of an application waits for an Observe, which must not block for long.
const observeMost = time.Second

// informed runs the command of an application when the applications know of each change of the view that is in the event log: who
// has read there that somebody is back can speak to him.
func (p *Peer) informed(command run) run {
	return func(ctx context.Context, env *app.Env, args app.Args) (any, error) {
		late := time.NewTimer(observeMost)
		defer late.Stop()
		select {
		case p.telling <- struct{}{}:
			<-p.telling
		case <-late.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		return command(ctx, env, args)
	}
}

func (p *Peer) initCommand() app.Spec {
	return app.Spec{
		Name: "init", Group: "development",
		Summary: "join the group: do all steps that are still to be done",
		Detail: "The steps are member create, bootstrap join, member start, member join, and the start of each application.\n" +
			"Doing it again is no error. When a step fails, those that init did are undone.",
		Example: "init --steps",
		Flags:   []app.Flag{{Name: "steps", Kind: app.Bool, Summary: "tell of each step, and how far the peer has come with it"}},
		Run: func(ctx context.Context, env *app.Env, args app.Args) (any, error) {
			done := func(string) {}
			if args.Bool("steps") {
				done = func(step string) { sayTo(env)("%-16s %s", step, p.state()) }
			}
			return nil, p.initTelling(ctx, sayTo(env), done)
		},
	}
}

// appCommands are the commands that every application has.
func (p *Peer) appCommands(h *host) []app.Spec {
	name := h.app.Name()
	return []app.Spec{
		{
			Name: name + " start", Group: name,
			Summary: "announce the " + name + " to the members, and start it",
			Detail:  "The peer must have joined its group before (member join, or init). Starting twice is no error.",
			Example: name + " start",
			Run: p.exclusive(func(ctx context.Context, _ *app.Env, _ app.Args) (any, error) {
				if err := h.start(ctx); err != nil {
					return nil, err
				}
				return app.Record{{Name: "state", Value: name + " started"}, {Name: "members", Value: p.running(name)}}, nil
			}),
		},
		{
			Name: name + " stop", Group: name, Aliases: []string{name + " leave"},
			Summary: "stop the " + name + "; the peer stays a member",
			Example: name + " stop",
			Run:     p.exclusive(func(ctx context.Context, _ *app.Env, _ app.Args) (any, error) { return nil, h.halt(ctx) }),
		},
	}
}

type run = func(context.Context, *app.Env, app.Args) (any, error)

func sayTo(env *app.Env) Progress {
	return func(format string, args ...any) { _, _ = fmt.Fprintf(env.Out, format+"\n", args...) }
}

// find returns the member of that name; the live one if several incarnations are known.
func (p *Peer) find(name string) (app.Member, error) {
	members := slices.Clone(p.Members())
	slices.SortStableFunc(members, func(a, b app.Member) int {
		switch {
		case a.Live() == b.Live():
			return b.JoinedAt.Compare(a.JoinedAt)
		case a.Live():
			return -1
		}
		return 1
	})
	for _, m := range members {
		if m.Name == name {
			return m, nil
		}
	}
	return app.Member{}, unknownMember(name, members)
}
