package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/internal/console"
	"peerlab.example/peerlab/internal/console/term"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	consolev1 "peerlab.example/peerlab/proto/peerlab/console/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	nodev1 "peerlab.example/peerlab/proto/peerlab/node/v1"
)

// connectTimeout is how long a console waits for the peer that it was told to talk to.
const connectTimeout = 5 * time.Second

func newConsole(std Stdio) *cobra.Command {
	var c common
	var line string
	cmd := &cobra.Command{
		Use:   "console ADDR",
		Short: "open a console on a peer that runs elsewhere",
		Long: "Opens a console on the peer whose gRPC server is at ADDR. quit ends the console, not the peer.\n" +
			"Without a terminal, lines are read from standard input.",
		Example: "  peerlab console 127.0.0.1:7801\n  peerlab console 127.0.0.1:7801 -e 'member list'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runConsole(cmd.Context(), std, &c, args[0], line)
		},
	}
	c.add(cmd, "warn")
	cmd.Flags().StringVarP(&line, "exec", "e", "", "run these commands, separated by ;, and end")
	return cmd
}

func runConsole(ctx context.Context, std Stdio, c *common, addr, line string) (err error) {
	security, err := c.load()
	if err != nil {
		return err
	}
	conn, err := node.Dial(network.System(), security, addr)
	if err != nil {
		return exit{exitUsage, err}
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	interactive := line == "" && term.Available()
	signals := []os.Signal{syscall.SIGTERM, syscall.SIGHUP}
	if !interactive {
		signals = append(signals, os.Interrupt)
	}
	ctx, stop := untilSignal(ctx, signals...)
	defer stop()
	first, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	who, err := nodev1.NewNodeServiceClient(conn).Version(first, &nodev1.VersionRequest{})
	if err != nil {
		return exit{exitUnreachable, fmt.Errorf("no peer answers at %s: %w", addr, err)}
	}
	if who.GetRole() != "peer" {
		return exit{exitUsage, fmt.Errorf("at %s runs a %s; only a peer has a console", addr, who.GetRole())}
	}
	output := console.NewOutput(std.Out, std.Err)
	session := console.NewSession(console.SessionConfig{
		Engine: console.NewRemote(consolev1.NewConsoleServiceClient(conn)), Output: output,
		Events: console.ClientEvents(eventv1.NewEventServiceClient(conn)), Interactive: interactive,
	})
	defer session.Close()
	switch {
	case line != "":
		err = session.RunLines(ctx, "-e", line, output.Command())
	case !interactive:
		err = session.RunScript(ctx, "stdin", std.In, output.Command())
	default:
		prefix := who.GetName() + "@" + addr + "> "
		err = term.Run(ctx, term.Config{
			Backend: session, Output: output, History: newHistory(), Prefix: func() string { return prefix },
		})
	}
	if i := interrupted(ctx); i != nil {
		return i
	}
	return err
}
