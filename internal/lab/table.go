package lab

import (
	"errors"
	"slices"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/console"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/peer"
)

// Table is the table of a peer with these applications, for those who check or document
// lines without running them.
func Table(apps []func() app.App) (*command.Table, error) {
	tuning, err := membership.Profile("local")
	if err != nil {
		return nil, err
	}
	deps := peer.Deps{
		Network: network.NewMemory().Host("127.0.0.1"), Log: zerolog.Nop(), Events: event.New("", 1), Print: func(string) {},
	}
	for _, a := range apps {
		deps.Apps = append(deps.Apps, a())
	}
	p, err := peer.New(peer.Config{Name: "table", Listen: "127.0.0.1:0", Gossip: "127.0.0.1:0", Tuning: tuning}, deps)
	if err != nil {
		return nil, err
	}
	settings, err := Settings(apps, nil).Resolve()
	if err != nil {
		return nil, err
	}
	builtins := console.NewBuiltins(nil)
	table, err := command.New(slices.Concat(p.Commands(), settingCommands(settings), builtins.Specs())...)
	builtins.Bind(table)
	table.Metrics = p.Metrics()
	return table, errors.Join(err, p.Close())
}
