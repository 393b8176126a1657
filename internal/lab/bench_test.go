package lab

import (
	"testing"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/peer"
)

// BenchmarkCompleteSetting is a key pressed behind "config set ": the offers are the fields with what they have now.
func BenchmarkCompleteSetting(b *testing.B) {
	tuning, err := membership.Profile(DefaultProfile)
	if err != nil {
		b.Fatal(err)
	}
	deps := peer.Deps{Network: network.NewMemory().Host("127.0.0.1"), Log: zerolog.Nop(), Events: event.New("", 1), Print: func(string) {}}
	p, err := peer.New(peer.Config{Name: "table", Listen: "127.0.0.1:0", Gossip: "127.0.0.1:0", Tuning: tuning}, deps)
	if err != nil {
		b.Fatal(err)
	}
	values, err := Settings(nil, nil).Resolve()
	if err != nil {
		b.Fatal(err)
	}
	table, err := command.New(settingCommands(values, &tuningTarget{peer: p, profile: DefaultProfile})...)
	if err != nil {
		b.Fatal(err)
	}
	const line = "config set "
	b.ReportAllocs()
	for b.Loop() {
		if offers, _ := table.Complete(line, len(line), command.Live{}); len(offers) < 20 {
			b.Fatalf("%d offers", len(offers))
		}
	}
}
