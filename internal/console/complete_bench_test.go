package console

import (
	"context"
	"fmt"
	"testing"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// BenchmarkComplete is one key at a prompt of a group of 1,000 members. It must stay far below a millisecond, so
// that nobody waits for a popup.
func BenchmarkComplete(b *testing.B) {
	members := make([]app.Member, 1000)
	for i := range members {
		members[i] = app.Member{Name: fmt.Sprintf("peer-%04d", i), State: app.Alive, RTT: time.Duration(i) * time.Microsecond}
	}
	live := command.Live{Members: func() []app.Member { return members }}
	builtins := NewBuiltins(nil)
	table, err := command.New(append(testSpecs(), builtins.Specs()...)...)
	if err != nil {
		b.Fatal(err)
	}
	builtins.Bind(table)
	session := NewSession(SessionConfig{Engine: NewLocal(&command.Executor{Table: table}, live)})
	defer session.Close()
	for _, line := range []string{"me", "member info ", "member info peer-09", "watch -n 2s member info peer-099", "x = member info peer-0999"} {
		for name, complete := range map[string]func() ([]app.Suggestion, int){
			"table":   func() ([]app.Suggestion, int) { return table.Complete(line, len(line), live) },
			"session": func() ([]app.Suggestion, int) { return session.Complete(context.Background(), line, len(line)) },
		} {
			if name == "table" && line[:2] == "x " {
				continue // variables are the session's
			}
			b.Run(name+"/"+line, func(b *testing.B) {
				if offers, _ := complete(); len(offers) == 0 {
					b.Fatalf("no offers for %q", line)
				}
				b.ReportAllocs()
				for b.Loop() {
					complete()
				}
			})
		}
	}
}
