// Command lab is the chat, and an application that does what one must not.
package main

import (
	"context"
	"os"

	"peerlab.example/peerlab"
	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
)

func main() {
	peerlab.Main(func() app.App { return chat.New() }, func() app.App { return bad{} })
}

type bad struct{}

// stdout is what was the standard output before the simulation began.
var stdout = os.Stdout

// sum is of no use but that it must be computed.
var sum int

func (bad) Name() string { return "bad" }

func (bad) Commands() []app.Spec {
	spec := func(name string, run func()) app.Spec {
		return app.Spec{Name: "bad " + name, Group: "bad", Summary: "for tests", Example: "bad " + name, Run: func(context.Context, *app.Env, app.Args) (any, error) {
			run()
			return nil, nil
		}}
	}
	return []app.Spec{
		spec("panic", func() { go func() { panic("this cannot be caught") }() }),
		spec("compute", func() {
			for {
				sum++
			}
		}),
		spec("exit", func() { os.Exit(0) }), //nolint:forbidigo // what one must not do
		spec("print", func() {
			_, _ = os.Stdout.WriteString("some of it\n")
			_, _ = stdout.WriteString("more of it\n")
		}),
		spec("hang", func() { // all of the program stands still, as when a lock is never given back
			for {
				select {}
			}
		}),
	}
}

func (bad) Start(context.Context, app.Peer) error { return nil }

func (bad) Stop(context.Context) error { return nil }
