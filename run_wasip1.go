package peerlab

import (
	"context"
	"fmt"
	"io"
	"os"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/sim"
)

// run is what the same program does when it is built for wasip1: it is the guest of a simulation, whose host gives it time and
// chance (internal/sim/host). So the applications that a program has are simulated without another line of code.
func run(_ []string, apps []func() app.App) int {
	err := sim.Guest(os.Stdin, sim.TakeStdout(), func(spec *sim.Spec) (*sim.Outcome, error) {
		return sim.Run(context.Background(), spec, apps, io.Discard)
	})
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "simulation:", err)
		return 1
	}
	return 0
}
