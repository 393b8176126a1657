package cli

import (
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/console"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/peer"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// fillTable makes the table of the peer's commands, its applications' and the console's.
func (l *lab) fillTable(logs *node.Logs, live command.Live) error {
	builtins := console.NewBuiltins(logs)
	builtins.AllowShell = l.flags.allowShell
	specs := slices.Concat(l.peer.Commands(), settingCommands(l.flags.settings.values, l.liveSettings(logs)...), builtins.Specs())
	table, err := command.New(specs...)
	if err != nil {
		return err
	}
	l.executor.Table = table
	builtins.Bind(table)
	l.session, err = l.flags.session(console.SessionConfig{
		Engine: console.NewLocal(l.executor, live), Output: l.output, Events: console.LogEvents(l.events), Interactive: l.interactive(),
	})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, func() error { l.session.Close(); return nil })
	return nil
}

// logCommand puts a command that ended into the event log.
func (l *lab) logCommand(line string, o command.Outcome, took time.Duration) {
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

// peerTable is the table of a peer with these applications, for those who check or document
// lines without running them.
func peerTable(apps []func() app.App) (*command.Table, error) {
	tuning, err := membership.Profile("local")
	if err != nil {
		return nil, err
	}
	deps := peer.Deps{
		Network: network.System(), Log: zerolog.Nop(), Events: event.New("", 1), Print: func(string) {},
	}
	for _, a := range apps {
		deps.Apps = append(deps.Apps, a())
	}
	p, err := peer.New(peer.Config{Name: "table", Listen: "127.0.0.1:0", Gossip: "127.0.0.1:0", Tuning: tuning}, deps)
	if err != nil {
		return nil, err
	}
	settings, err := peerSettings(&common{}, apps).Resolve()
	if err != nil {
		return nil, err
	}
	table, err := command.New(slices.Concat(p.Commands(), settingCommands(settings), console.NewBuiltins(nil).Specs())...)
	return table, errors.Join(err, p.Close())
}
