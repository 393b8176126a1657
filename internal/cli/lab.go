package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/console"
	"peerlab.example/peerlab/internal/console/term"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/peer"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// peerProcess is one peer with all that surrounds it in a process.
type peerProcess struct {
	*lab.Lab
	flags    *peerFlags
	std      Stdio
	output   *console.Output
	events   *event.Log
	log      zerolog.Logger
	security *node.Security
	network  network.Network // what coordinators and consoles reach, and are reached by: without faults
	faults   *network.Faults // what the peer sends over, the calls to the bootstrap service included
	// nameTaken ends when the peer must give way to an older one of its name.
	nameTaken context.Context
	closers   []func() error
}

func runPeer(ctx context.Context, std Stdio, f *peerFlags, apps []func() app.App) (err error) {
	l, err := newPeerProcess(std, f, apps)
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
	if err := l.Peer.Start(ctx); err != nil {
		return bindError(err)
	}
	err = l.run(ctx)
	// A peer that was asked to end says goodbye, however its work ended.
	return errors.Join(err, l.Peer.Leave(context.WithoutCancel(ctx)))
}

func newPeerProcess(std Stdio, f *peerFlags, apps []func() app.App) (*peerProcess, error) {
	cfg := f.peer
	l := &peerProcess{flags: f, std: std, network: network.System(), events: event.New(cfg.Name, event.Keep)}
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
	l.faults = network.NewFaults(l.network, f.seed)
	l.closers = append(l.closers, l.faults.Close)
	taken, giveWay := context.WithCancelCause(context.Background())
	l.nameTaken = taken
	deps := peer.Deps{
		NameTaken: giveWay,
		Network:   l.network, Faults: l.faults, Security: l.security, Log: l.log, Events: l.events, Print: l.output.Println,
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
	l.Lab, err = lab.New(lab.Config{
		Peer: cfg, Deps: deps, Values: f.settings.values, Logs: logs, Output: l.output, Interactive: l.interactive(),
	})
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	return l, nil
}

// interactive reports whether a person sits at a terminal.
func (l *peerProcess) interactive() bool {
	f := l.flags
	return !f.scripted && f.coordinator == "" && !f.noConsole && term.Available()
}

func (l *peerProcess) dialBootstrap(addr string) (bootstrapv1.BootstrapServiceClient, error) {
	if addr == "" {
		return nil, nil
	}
	conn, closeAll, err := dialBootstrap(l.faults, l.security.Operator(), addr)
	if err != nil {
		return nil, exit{exitUsage, fmt.Errorf("--bootstrap: %w", err)}
	}
	l.closers = append(l.closers, closeAll)
	// The peer itself tries for as long as it takes and tells the user, so that one call may end soon.
	return bootstrap.NewClient(conn, bootstrap.ClientOptions{Timeout: 2 * time.Second}), nil
}

// memory remembers members between starts. In a run of a coordinator, it does so only where the coordinator has said it should. A peer
// without a name of its own has another one at the next start, and remembers nothing; nor does one that may not write where nobody has told
// it to.
func (l *peerProcess) memory(cfg peer.Config) (peer.Memory, error) {
	if dir := l.flags.memory; dir != "" {
		return newFileMemory(dir, cfg.Group, cfg.Name)
	}
	if l.flags.coordinator != "" || l.flags.settings.values.Value("name").Layer == config.Default {
		return nil, nil
	}
	dir, err := stateDir()
	var memory *fileMemory
	if err == nil {
		memory, err = newFileMemory(dir, cfg.Group, cfg.Name)
	}
	if err != nil {
		l.log.Warn().Err(err).Msg("members are not remembered for the next start; --memory names another folder")
		return nil, nil
	}
	return memory, nil
}

// run gives the peer its work, and returns when that is done.
func (l *peerProcess) run(ctx context.Context) error {
	f := l.flags
	if f.coordinator != "" {
		return l.attach(ctx)
	}
	if l.interactive() || f.noConsole {
		// On standard output in any case: whoever starts peers waits for it.
		_, _ = fmt.Fprintf(l.output.Command(), "peer %s serves gRPC on %s\n", l.Peer.Name(), l.Peer.Addr())
	}
	if f.init == "yes" && !l.interactive() {
		if err := l.init(ctx); err != nil {
			return err
		}
	}
	switch {
	case f.scripted && f.file == "" && f.exec == "":
		return nil // -e '' has been run
	case f.noConsole:
		<-ctx.Done()
		if interrupted(ctx) != nil {
			return nil // it was asked to end, and does
		}
		return context.Cause(ctx)
	case l.interactive():
		return l.script(ctx, func() error { return l.console(ctx) })
	}
	return l.script(ctx, func() error { return runLines(ctx, l.Session, l.output, l.std.In, f.exec, f.file) })
}

// init is the command init, with the exit code that the command line promises. Nobody has typed it, so that what it tells can
// be muted.
func (l *peerProcess) init(ctx context.Context) error {
	o := l.Executor.Execute(ctx, "init", &app.Env{Out: l.output.Aside()})
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
func (l *peerProcess) script(ctx context.Context, run func() error) error {
	err := run()
	if i := interrupted(ctx); i != nil {
		return i
	}
	return initError(ctx, err)
}

// console opens the prompt at once, while the peer joins its group in the background: a
// bootstrap service that is not there yet must not keep the user from looking around.
func (l *peerProcess) console(ctx context.Context) error {
	color := l.flags.wantsColor(isTerminal(l.std.Out))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	joined := make(chan error, 1)
	go func() {
		var err error
		if l.flags.init == "yes" {
			switch err = l.init(ctx); {
			case errors.Is(err, peer.ErrInterrupted) && ctx.Err() == nil: // by a command, after which the user goes on
				l.output.Println("init: " + err.Error())
			case err != nil:
				cancel(err)
			}
		}
		joined <- err
	}()
	history := newHistory()
	err := term.Run(ctx, term.Config{
		Backend: l.Session, Output: l.output, Prefix: l.prefix, Alarm: l.suspects, Color: color, History: history,
	})
	cancel(context.Canceled)
	if initErr := <-joined; initErr != nil && !errors.Is(initErr, context.Canceled) {
		return initErr
	}
	return err
}

func (l *peerProcess) prefix() string {
	if n := l.Peer.Alive(); n > 0 {
		return fmt.Sprintf("%s (%d alive)> ", l.Peer.Name(), n)
	}
	return l.Peer.Name() + "> "
}

// suspects reports whether somebody is suspected.
func (l *peerProcess) suspects() bool {
	return l.Peer.Suspects() > 0
}

// newHistory is the history that all consoles of the user share.
func newHistory() *console.History {
	dir, err := stateDir()
	if err != nil {
		return console.NewHistory("")
	}
	return console.NewHistory(filepath.Join(dir, "history"))
}

func (l *peerProcess) close() error {
	errs := []error{l.Lab.Close()}
	for i := len(l.closers) - 1; i >= 0; i-- {
		errs = append(errs, l.closers[i]())
	}
	return errors.Join(errs...)
}
