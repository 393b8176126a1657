package lab

import (
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/console"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/peer"
	consolev1 "peerlab.example/peerlab/proto/peerlab/console/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// Config is what a Lab is made of. All of it but Interactive and NoShell must be given.
type Config struct {
	Peer peer.Config
	Deps peer.Deps
	// Values are those of Settings.
	Values config.Values
	Logs   *node.Logs
	Output *console.Output
	// Interactive is set when a person sits at a terminal.
	Interactive bool
	// NoShell, if not empty, says why there is none where the peer runs.
	NoShell string
}

// Lab is one peer with its commands and its console.
type Lab struct {
	Peer     *peer.Peer
	Executor *command.Executor
	Session  *console.Session

	values config.Values
	events *event.Log
	log    zerolog.Logger
}

// New makes a peer and starts nothing.
func New(c Config) (*Lab, error) {
	l := &Lab{values: c.Values, events: c.Deps.Events, log: c.Deps.Log}
	l.Executor = &command.Executor{Done: l.logCommand}
	live := command.Live{Members: l.members}
	service := console.NewService(l.Executor, live)
	var err error
	l.Peer, err = peer.New(c.Peer, c.Deps, func(r grpc.ServiceRegistrar) { consolev1.RegisterConsoleServiceServer(r, service) })
	if err != nil {
		return nil, err
	}
	builtins := console.NewBuiltins(c.Logs)
	builtins.AllowShell = c.Values.Get("allow-shell") == "true"
	builtins.NoShell = c.NoShell
	specs := slices.Concat(l.Peer.Commands(), settingCommands(l.values, l.liveSettings(c.Logs)...), builtins.Specs())
	if l.Executor.Table, err = command.New(specs...); err != nil {
		return nil, errors.Join(err, l.Peer.Close())
	}
	builtins.Bind(l.Executor.Table)
	l.Session = console.NewSession(console.SessionConfig{
		Engine: console.NewLocal(l.Executor, live), Output: c.Output, Events: console.LogEvents(l.events),
		Interactive: c.Interactive, KeepGoing: c.Values.Get("keep-going") == "true",
	})
	if err := l.Session.SetOption("output", c.Values.Get("output")); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close leaves nothing running. The peer does not say goodbye: see peer.Peer.Leave.
func (l *Lab) Close() error {
	err := l.Peer.Close()
	l.Session.Close()
	return err
}

// logCommand puts a command that ended into the event log.
func (l *Lab) logCommand(line string, o command.Outcome, took time.Duration) {
	e := &eventv1.Command{Line: command.Clean(line), Ok: o.Err == nil, DurationNs: int64(took)}
	var p *command.PanicError
	if errors.As(o.Err, &p) {
		l.log.Error().Str("line", e.GetLine()).Interface("panic", p.Value).Bytes("stack", p.Stack).Msg("a command panicked")
	}
	if o.Err != nil {
		e.Error = command.Clean(o.Err.Error())
	}
	l.events.Emit(&eventv1.Event{What: &eventv1.Event_Command{Command: e}})
}
