package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/console"
	"peerlab.example/peerlab/internal/console/term"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/peer"
	"peerlab.example/peerlab/internal/testcoord"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	consolev1 "peerlab.example/peerlab/proto/peerlab/console/v1"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// peerFlags are the flags of "peerlab peer".
type peerFlags struct {
	common
	peer        peer.Config
	profile     string
	tune        []string
	exec        string
	file        string
	scripted    bool // exec or file was given, be it empty
	coordinator string
	noConsole   bool
	init        string
}

func newPeer(std Stdio, apps []func() app.App) *cobra.Command {
	var f peerFlags
	cmd := &cobra.Command{
		Use:   "peer",
		Short: "run a peer: a member of the group, with a console inside",
		Long: "Starts a peer, lets it join its group, and opens a console in it: type help, or press Tab.\n" +
			"Without a terminal, lines are read from standard input. With -e, -f or --coordinator the peer\n" +
			"does nothing by itself: begin with the command init.",
		Example: "  peerlab peer --bootstrap 127.0.0.1:7700 --name alice\n" +
			"  peerlab peer --bootstrap 127.0.0.1:7700 --name bob -e 'init; msg hello; quit'\n" +
			"  peerlab peer --bootstrap 127.0.0.1:7700 --name carol --no-console",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.scripted = cmd.Flags().Changed("exec") || cmd.Flags().Changed("file")
			return runPeer(cmd.Context(), std, &f, apps)
		},
	}
	f.add(cmd, "warn")
	fs := cmd.Flags()
	fs.StringVar(&f.peer.Name, "name", "", "name of the peer, unique among the live members (default peer-XXXX)")
	fs.StringVar(&f.peer.Group, "group", "default", "group of peers that find each other")
	fs.StringVar(&f.peer.BootstrapAddr, "bootstrap", "", "host:port of the bootstrap service; empty for none")
	fs.DurationVar(&f.peer.BootstrapTimeout, "bootstrap-timeout", 0, "give up when the bootstrap service is not reached in this time; 0 means never")
	fs.StringVar(&f.peer.Listen, "listen", "127.0.0.1:0", "host:port of gRPC; port 0 means any")
	fs.StringVar(&f.peer.Gossip, "gossip", "127.0.0.1:0", "host:port of gossip, UDP and TCP; port 0 means any")
	fs.StringVar(&f.peer.Advertise, "advertise", "", "IP address that others are told, when --listen and --gossip bind all (0.0.0.0)")
	fs.StringVar(&f.profile, "profile", "local", "gossip timings: "+strings.Join(membership.Profiles(), ", "))
	fs.StringArrayVar(&f.tune, "tune", nil, "change one timing of the profile, such as probe-interval=200ms; may be repeated")
	fs.StringVarP(&f.exec, "exec", "e", "", "run these commands, separated by ;, and end")
	fs.StringVarP(&f.file, "file", "f", "", "run the commands in this file, and end")
	fs.StringVar(&f.coordinator, "coordinator", "", "host:port of a coordinator that gives the commands")
	fs.BoolVar(&f.noConsole, "no-console", false, "no console: run until a signal")
	fs.StringVar(&f.init, "init", "auto", "join the group at the start: yes, no, or auto, which is no with -e, -f and --coordinator")
	cmd.MarkFlagsMutuallyExclusive("exec", "file", "coordinator", "no-console")
	return cmd
}

// config completes and checks what the flags say.
func (f *peerFlags) config() (peer.Config, error) {
	c := f.peer
	if c.Name == "" {
		b := make([]byte, 2)
		_, _ = rand.Read(b) // never fails: crypto/rand
		c.Name = "peer-" + hex.EncodeToString(b)
	}
	var err error
	if c.Tuning, err = membership.Profile(f.profile); err != nil {
		return c, fmt.Errorf("--profile: %w", err)
	}
	for _, t := range f.tune {
		field, value, ok := strings.Cut(t, "=")
		if !ok {
			return c, fmt.Errorf("--tune %q is not FIELD=VALUE, such as probe-interval=200ms", t)
		}
		if err := c.Tuning.Set(field, value); err != nil {
			return c, fmt.Errorf("--tune: %w", err)
		}
	}
	if err := c.Tuning.Validate(); err != nil {
		return c, fmt.Errorf("--tune: %w", err)
	}
	switch f.init {
	case "yes", "no":
	case "auto":
		f.init = "yes"
		if f.scripted || f.coordinator != "" {
			f.init = "no"
		}
	default:
		return c, fmt.Errorf("--init %q is none of auto, yes, no", f.init)
	}
	return c, nil
}

// lab is one peer with all that surrounds it in a process.
type lab struct {
	flags    *peerFlags
	std      Stdio
	peer     *peer.Peer
	executor *command.Executor
	backend  console.Backend
	output   *console.Output
	events   *event.Log
	log      zerolog.Logger
	security *node.Security
	network  network.Network
	// nameTaken ends when the peer must give way to an older one of its name.
	nameTaken context.Context
	closers   []func() error
}

func runPeer(ctx context.Context, std Stdio, f *peerFlags, apps []func() app.App) (err error) {
	l, err := newLab(std, f, apps)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	signals := []os.Signal{syscall.SIGTERM, syscall.SIGHUP}
	if !l.interactive() {
		signals = append(signals, os.Interrupt)
	}
	ctx, stop := untilSignal(ctx, signals...)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.nameTaken, func() { cancel(context.Cause(l.nameTaken)) })()
	if err := l.peer.Start(ctx); err != nil {
		return bindError(err)
	}
	err = l.run(ctx)
	// A peer that was asked to end says goodbye, however its work ended.
	return errors.Join(err, l.peer.Leave(context.WithoutCancel(ctx)))
}

func newLab(std Stdio, f *peerFlags, apps []func() app.App) (*lab, error) {
	cfg, err := f.config()
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	l := &lab{flags: f, std: std, network: network.System(), events: event.New(cfg.Name, event.Keep)}
	l.output = console.NewOutput(std.Out, std.Err)
	logs, err := f.logs(l.output.Log(), isTerminal(std.Err))
	if err != nil {
		return nil, err
	}
	l.closers = append(l.closers, func() error { return logs.ToFile("") })
	l.log = logs.Logger()
	if l.security, err = f.load(); err != nil {
		return nil, err
	}
	taken, giveWay := context.WithCancelCause(context.Background())
	l.nameTaken = taken
	deps := peer.Deps{
		NameTaken: giveWay,
		Network:   l.network, Security: l.security, Log: l.log, Events: l.events, Print: l.output.Println,
	}
	for _, a := range apps {
		deps.Apps = append(deps.Apps, a())
	}
	if deps.Bootstrap, err = l.dialBootstrap(cfg.BootstrapAddr); err != nil {
		return nil, err
	}
	if deps.Memory, err = l.memory(cfg); err != nil {
		return nil, err
	}
	l.executor = &command.Executor{Done: l.logCommand}
	live := command.Live{Members: func() []app.Member { return l.peer.Members() }}
	service := console.NewService(l.executor, live)
	l.peer, err = peer.New(cfg, deps, func(r grpc.ServiceRegistrar) { consolev1.RegisterConsoleServiceServer(r, service) })
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	return l, l.fillTable(logs, live)
}

// interactive reports whether a person sits at a terminal.
func (l *lab) interactive() bool {
	f := l.flags
	return !f.scripted && f.coordinator == "" && !f.noConsole && term.Available()
}

func (l *lab) dialBootstrap(addr string) (bootstrapv1.BootstrapServiceClient, error) {
	if addr == "" {
		return nil, nil
	}
	conn, err := node.Dial(l.network, l.security, addr)
	if err != nil {
		return nil, exit{exitUsage, fmt.Errorf("--bootstrap: %w", err)}
	}
	l.closers = append(l.closers, conn.Close)
	// The peer itself tries for as long as it takes and tells the user, so that one call may end soon.
	return bootstrap.NewClient(conn, bootstrap.ClientOptions{Timeout: 2 * time.Second}), nil
}

// memory remembers members between starts, except in a run of the coordinator, where each starts anew.
func (l *lab) memory(cfg peer.Config) (peer.Memory, error) {
	if l.flags.coordinator != "" {
		return nil, nil
	}
	dir, err := stateDir()
	if err != nil {
		return nil, err
	}
	return newFileMemory(dir, cfg.Group, cfg.Name)
}

// run gives the peer its work, and returns when that is done.
func (l *lab) run(ctx context.Context) error {
	f := l.flags
	if f.coordinator != "" {
		return l.attach(ctx)
	}
	if l.interactive() || f.noConsole {
		l.output.Println(fmt.Sprintf("peer %s serves gRPC on %s", l.peer.Name(), l.peer.Addr()))
	}
	if f.init == "yes" && !l.interactive() {
		if err := l.init(ctx); err != nil {
			return err
		}
	}
	switch {
	case f.scripted && f.file == "":
		return l.script(ctx, func() error { return console.RunLines(ctx, l.backend, "-e", f.exec, l.output.Command()) })
	case f.file != "":
		return l.script(ctx, func() error { return l.runFile(ctx, f.file) })
	case f.noConsole:
		<-ctx.Done()
		if interrupted(ctx) != nil {
			return nil // it was asked to end, and does
		}
		return context.Cause(ctx)
	case l.interactive():
		return l.script(ctx, func() error { return l.console(ctx) })
	}
	return l.script(ctx, func() error { return console.RunScript(ctx, l.backend, "stdin", l.std.In, l.output.Command()) })
}

// init is the command init, with the exit code that the command line promises.
func (l *lab) init(ctx context.Context) error {
	o := l.executor.Execute(ctx, "init", &app.Env{Out: l.output.Command()})
	return initError(ctx, o.Err)
}

func initError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case interrupted(ctx) != nil:
		return interrupted(ctx)
	case errors.Is(err, peer.ErrBootstrapTimeout):
		return exit{exitUnreachable, err}
	}
	return bindError(err)
}

// script runs lines, and maps how they ended to an exit code.
func (l *lab) script(ctx context.Context, run func() error) error {
	err := run()
	if i := interrupted(ctx); i != nil {
		return i
	}
	return initError(ctx, err)
}

func (l *lab) runFile(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return exit{exitUsage, fmt.Errorf("--file: %w", err)}
	}
	defer func() { _ = f.Close() }()
	return console.RunScript(ctx, l.backend, path, f, l.output.Command())
}

// console opens the prompt at once, while the peer joins its group in the background: a
// bootstrap service that is not there yet must not keep the user from looking around.
func (l *lab) console(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	joined := make(chan error, 1)
	go func() {
		var err error
		if l.flags.init == "yes" {
			if err = l.init(ctx); err != nil {
				cancel(err)
			}
		}
		joined <- err
	}()
	history := newHistory()
	err := term.Run(ctx, term.Config{Backend: l.backend, Output: l.output, Prefix: l.prefix, History: history})
	cancel(context.Canceled)
	if initErr := <-joined; initErr != nil && !errors.Is(initErr, context.Canceled) {
		return initErr
	}
	return err
}

func (l *lab) prefix() string {
	if n := l.peer.Alive(); n > 0 {
		return fmt.Sprintf("%s (%d alive)> ", l.peer.Name(), n)
	}
	return l.peer.Name() + "> "
}

// newHistory is the history that all consoles of the user share.
func newHistory() *console.History {
	dir, err := stateDir()
	if err != nil {
		return console.NewHistory("")
	}
	return console.NewHistory(filepath.Join(dir, "history"))
}

// attach takes commands from a coordinator until it ends the run, or is gone.
func (l *lab) attach(ctx context.Context) error {
	conn, err := node.Dial(l.network, l.security, l.flags.coordinator)
	if err != nil {
		return exit{exitUsage, fmt.Errorf("--coordinator: %w", err)}
	}
	defer func() { _ = conn.Close() }()
	hello := &testcoordv1.Hello{
		Name: l.peer.Name(), Pid: int64(os.Getpid()), Addr: l.peer.Addr(), Version: node.VersionLine(),
	}
	_, err = testcoord.Attach(ctx, testcoordv1.NewCoordinatorServiceClient(conn), hello, l.executor, l.events)
	if i := interrupted(ctx); i != nil {
		return i
	}
	if status.Code(err) == codes.Unavailable {
		return exit{exitUnreachable, fmt.Errorf("coordinator %s: %w", l.flags.coordinator, err)}
	}
	return err
}

func (l *lab) close() error {
	errs := []error{l.peer.Close()}
	for i := len(l.closers) - 1; i >= 0; i-- {
		errs = append(errs, l.closers[i]())
	}
	return errors.Join(errs...)
}
