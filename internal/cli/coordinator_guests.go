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
	"peerlab.example/peerlab/internal/sim/host"
)

// fastSimulator starts this program again for each run.
type fastSimulator struct{}

const fastGuest = "fast-guest"

func (fastSimulator) run(ctx context.Context, spec *sim.Spec, text io.Writer) (*sim.Outcome, error) {
	return fast.Run(ctx, func() (*exec.Cmd, error) { return itself("coordinator", fastGuest) }, spec, text)
}

func (fastSimulator) close() {}

// guestWorker is what the pool of a guestSimulator starts, with the file of the guest and a folder for what is compiled of it.
const guestWorker = "guest-worker"

// newGuests are the commands by which this program starts itself. A terminal sends its signals to all processes; these end with their standard
// input, or as the coordinator wants.
func newGuests(std Stdio, apps []func() app.App) []*cobra.Command {
	worker := &cobra.Command{
		Use:    guestWorker + " FILE FOLDER",
		Short:  "run guests for --runner sim",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			signal.Ignore(endings...)
			return host.Work(cmd.Context(), std.In, std.Out, args[0], args[1])
		},
	}
	guest := &cobra.Command{
		Use:    fastGuest,
		Short:  "be a guest for --fast",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			signal.Ignore(endings...)
			if code := fast.Guest(std.In, std.Out, std.Err, apps); code != 0 {
				return exit{code, nil}
			}
			return nil
		},
	}
	return []*cobra.Command{worker, guest}
}
