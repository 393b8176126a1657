package main

import (
	"context"
	"fmt"
	"time"

	"peerlab.example/peerlab"
	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
)

// troubled is the program peerlab with the application trouble beside the chat.
func troubled() {
	peerlab.Main(func() app.App { return chat.New() }, func() app.App { return &trouble{} })
}

// trouble is an application that does what none should.
type trouble struct{ peer app.Peer }

// Name implements app.App.
func (*trouble) Name() string { return "trouble" }

// Start implements app.App.
func (a *trouble) Start(_ context.Context, p app.Peer) error {
	a.peer = p
	return nil
}

// Stop implements app.App.
func (*trouble) Stop(context.Context) error { return nil }

// Commands implements app.App.
func (a *trouble) Commands() []app.Spec {
	return []app.Spec{
		{
			Name: "trouble panic", Summary: "panic", Example: "trouble panic",
			Run: func(context.Context, *app.Env, app.Args) (any, error) { panic("it was no mistake") },
		},
		{
			Name: "trouble crash", Summary: "panic where nobody can recover", Example: "trouble crash",
			Run: func(context.Context, *app.Env, app.Args) (any, error) {
				go panic("it was meant")
				select {}
			},
		},
		{
			Name: "trouble hang", Summary: "do nothing until it is interrupted", Example: "trouble hang",
			Run: func(ctx context.Context, env *app.Env, _ app.Args) (any, error) {
				_, _ = fmt.Fprintln(env.Out, "hanging")
				<-ctx.Done()
				return nil, context.Cause(ctx)
			},
		},
		{
			Name: "trouble stuck", Summary: "hang, whoever interrupts it", Example: "trouble stuck",
			Run: func(_ context.Context, env *app.Env, _ app.Args) (any, error) {
				_, _ = fmt.Fprintln(env.Out, "stuck")
				select {}
			},
		},
		{
			Name: "trouble cblock", Summary: "take a word, and hang when one is to be offered", Example: "trouble cblock word",
			Params: []app.Param{{Name: "word", Kind: app.Word, Complete: func() []app.Suggestion { select {} }}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				return "took " + args.String("word"), nil
			},
		},
		{
			Name: "trouble tell", Summary: "send lines to everybody else, 200 a second", Example: "trouble tell 400",
			Params: []app.Param{{Name: "lines", Kind: app.Int}},
			Run: func(ctx context.Context, _ *app.Env, args app.Args) (any, error) {
				return nil, a.tell(ctx, args.Int("lines"))
			},
		},
	}
}

func (a *trouble) tell(ctx context.Context, lines int) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := range lines {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for _, m := range a.peer.Members() {
			if m.Self || m.State != app.Alive {
				continue
			}
			if err := a.peer.Send(ctx, m, fmt.Appendf(nil, "line %03d of %d \x1b[31mred\a", i+1, lines)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Receive implements app.Receiver.
func (a *trouble) Receive(from app.Member, payload []byte) {
	a.peer.Show("lines", fmt.Sprintf("[%s] %s", from.Name, payload))
}
