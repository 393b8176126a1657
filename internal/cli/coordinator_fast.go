package cli

import (
	"context"
	"io"
	"os/exec"
	"os/signal"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/sim/fast"
)

// fastSimulator starts this program again for each run.
type fastSimulator struct{}

const fastGuest = "fast-guest"

func (fastSimulator) run(ctx context.Context, spec *sim.Spec, text io.Writer) (*sim.Outcome, error) {
	return fast.Run(ctx, func() (*exec.Cmd, error) { return itself("coordinator", fastGuest) }, spec, text)
}

func (fastSimulator) close() error { return nil }

// newFastGuest is what a fastSimulator starts.
func newFastGuest(std Stdio, apps []func() app.App) *cobra.Command {
	return &cobra.Command{
		Use:    fastGuest,
		Short:  "run what --fast sends",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			signal.Ignore(endings...) // a terminal sends them to all; this ends with its standard input, which the coordinator closes
			if code := fast.Guest(std.In, std.Out, std.Err, apps); code != 0 {
				return exit{code, nil}
			}
			return nil
		},
	}
}
