package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/console"
	"peerlab.example/peerlab/internal/console/term"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	consolev1 "peerlab.example/peerlab/proto/peerlab/console/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
	nodev1 "peerlab.example/peerlab/proto/peerlab/node/v1"
)

// connectTimeout is how long a console waits for the peer that it was told to talk to.
const connectTimeout = 5 * time.Second

// consoleFlags are the flags of "peerlab console".
type consoleFlags struct {
	common
	exec, file string
	consoleLook
}

func newConsole(std Stdio) *cobra.Command {
	var f consoleFlags
	cmd := &cobra.Command{
		Use:   "console ADDR",
		Short: "open a console on a peer that runs elsewhere",
		Long: "Opens a console on the peer whose gRPC server is at ADDR. quit ends the console, not the peer.\n" +
			"Without a terminal, lines are read from standard input.",
		Example: "  peerlab console 127.0.0.1:7801\n  peerlab console 127.0.0.1:7801 -e 'member list' --output json",
		Args:    oneAddr,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runConsole(cmd.Context(), std, &f, args[0])
		},
	}
	addSettings(cmd, newTable("peerlab console", slices.Concat(lab.LookFields(), f.fields("warn")), nil), func(v config.Values) error {
		f.common.fill(v)
		f.consoleLook.fill(v)
		return nil
	})
	cmd.Flags().StringVarP(&f.exec, "exec", "e", "", "run these commands, separated by ; or line ends, and end")
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "run the commands in this file, and end")
	exclusive(cmd, "exec", "file")
	return cmd
}

// oneAddr wants the address of a peer.
func oneAddr(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return errors.New("ADDR is missing: the address at which a peer serves gRPC, as its first line tells it, such as peerlab console 127.0.0.1:7801")
	case 1:
		return nil
	}
	return fmt.Errorf("unexpected %q: a console is on one peer, at one ADDR; lines to run go behind -e, in quotes", args[1])
}

func runConsole(ctx context.Context, std Stdio, f *consoleFlags, addr string) (err error) {
	security, err := f.load()
	if err != nil {
		return err
	}
	conn, err := node.Dial(network.System(), security, addr)
	if err != nil {
		return exit{exitUsage, err}
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	interactive := f.exec == "" && f.file == "" && term.Available()
	color := f.wantsColor(isTerminal(std.Out))
	signals := []os.Signal{syscall.SIGTERM, syscall.SIGHUP}
	if !interactive {
		signals = append(signals, os.Interrupt)
	}
	ctx, stop := untilSignal(ctx, signals...)
	defer stop()
	name, err := whoIs(ctx, conn, addr)
	if err != nil {
		return err
	}
	output := console.NewOutput(std.Out, std.Err)
	session, err := f.session(console.SessionConfig{
		Engine: console.NewRemote(consolev1.NewConsoleServiceClient(conn)), Output: output,
		Events: console.ClientEvents(eventv1.NewEventServiceClient(conn)), Interactive: interactive,
	})
	if err != nil {
		return err
	}
	defer session.Close()
	if interactive {
		view := &remoteView{name: name + "@" + addr, client: membershipv1.NewMembershipServiceClient(conn)}
		err = remotePrompt(ctx, session, output, view, color)
	} else {
		err = runLines(ctx, session, output, std.In, f.exec, f.file)
	}
	if i := interrupted(ctx); i != nil {
		return i
	}
	return err
}

// whoIs is the name of the peer at the other end.
func whoIs(ctx context.Context, conn *grpc.ClientConn, addr string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	who, err := nodev1.NewNodeServiceClient(conn).Version(ctx, &nodev1.VersionRequest{})
	if err != nil {
		return "", exit{exitUnreachable, fmt.Errorf("no peer answers at %s: %s", addr, reason(err))}
	}
	if who.GetRole() != "peer" {
		return "", exit{exitUsage, fmt.Errorf("at %s runs a %s; only a peer has a console", addr, who.GetRole())}
	}
	return who.GetName(), nil
}

// remotePrompt is a prompt that shows what its peer shows, and who is there.
func remotePrompt(ctx context.Context, session *console.Session, output *console.Output, view *remoteView, color bool) error {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { view.follow(ctx) })
	first, done := context.WithTimeout(ctx, connectTimeout)
	err := session.FollowShown(first)
	done()
	if err == nil {
		err = term.Run(ctx, term.Config{
			Backend: session, Output: output, History: newHistory(), Prefix: view.prefix, Alarm: view.alarm, Color: color,
		})
	}
	cancel()
	following.Wait()
	return err
}

// runLines runs the commands of -e, of -f, or of standard input.
func runLines(ctx context.Context, session *console.Session, output *console.Output, in *os.File, exec, file string) error {
	switch {
	case exec != "":
		return session.RunLines(ctx, "-e", exec, output.Command())
	case file == "":
		return session.RunScript(ctx, "stdin", in, output.Command())
	}
	f, err := console.OpenScript(file)
	if err != nil {
		return exit{exitUsage, fmt.Errorf("--file: %w", err)}
	}
	defer func() { _ = f.Close() }()
	return session.RunScript(ctx, file, f, output.Command())
}
