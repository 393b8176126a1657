// Package app is what an application of a peer implements, and what a running peer offers it.
//
// An application is a small Go value with a name, commands, a start and a stop:
//
//	type hello struct{ peer app.Peer }
//
//	func (h *hello) Name() string                                 { return "hello" }
//	func (h *hello) Start(_ context.Context, p app.Peer) error    { h.peer = p; return nil }
//	func (h *hello) Stop(context.Context) error                   { return nil }
//	func (h *hello) Commands() []app.Spec {
//		return []app.Spec{{
//			Name: "hello", Summary: "greet everybody",
//			Run: func(context.Context, *app.Env, app.Args) (any, error) {
//				return fmt.Sprintf("hello to %d members", len(h.peer.Members())), nil
//			},
//		}}
//	}
//
// Each command stands at once in the console with completion and help, in scripts,
// in suites and in the Exec RPC. What an application sends travels over the connections
// that Peer.Dial gives, so that faults and simulation apply to it as to everything else:
// an application never opens a socket itself.
package app

import (
	"context"

	"google.golang.org/grpc"
)

// App is an application of a peer. A peer owns its App values: each peer has its own.
type App interface {
	// Name is one lower-case word. The peer adds the commands "NAME start" and "NAME stop".
	Name() string
	// Commands are added to the peer's table. Called once, before Start; the
	// commands may be run before Start and after Stop and then return ErrNotStarted.
	Commands() []Spec
	// Start begins the application's work: the peer has joined, and has announced
	// the application to the others. It may block until the application is ready;
	// ctx bounds only that. peer is valid until Stop has returned.
	Start(ctx context.Context, peer Peer) error
	// Stop says goodbye, within ctx, and waits for all goroutines. After Stop, Start may be called again.
	Stop(ctx context.Context) error
}

// Registrar is implemented by an App that serves gRPC. Register is called once, before the
// peer's server starts; calls may arrive while the App is not started and are best answered
// with codes.FailedPrecondition: codes.Unavailable would look like a broken connection, and be tried again.
type Registrar interface {
	Register(grpc.ServiceRegistrar)
}

// Observer is implemented by an App that wants to know who comes and goes.
// Observe is called from one goroutine, in order, between Start and Stop; it must not block for long: commands of applications that begin
// meanwhile wait for it, up to a second, so that who has seen a change in the event log finds that the App knows of it.
type Observer interface {
	Observe(MemberEvent)
}

// Receiver is implemented by an App that receives what Peer.Broadcast and Peer.Send send.
//
// Receive is called from one goroutine, for both. It is not that of Observe, so that what both use needs a lock.
// The first call comes after Start has returned, and none begins once the App is to stop: Stop is called after
// the one that still runs, or after a second if that one does not return. While one of the last start still runs,
// the App cannot be started again.
//
// Receive should not block for long: at most 1024 messages of 16 MiB together wait for it. Above that, broadcasts are
// dropped, with an event in the log, and Sends are held back at their senders. Other applications and membership go on.
// If it panics, the stack goes to the log, a Send that it was called for returns an error, and the next message is
// received as usual. payload is the App's to keep.
type Receiver interface {
	Receive(from Member, payload []byte)
}
