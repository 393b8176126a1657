// Package cli is the command line of the process: one file per role, which turns flags into a
// configuration, wires the rooms together and runs them. Nothing else happens here.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/node"
)

// Stdio are the standard streams of the process.
type Stdio struct {
	In       *os.File
	Out, Err io.Writer
}

// The exit codes of peerlab.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitInterrupt   = 130
	exitTerminated  = 143
)

// exit is an error with the exit code that it means. A nil err has been reported already.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// stdout is a standard output that is no terminal. Most of those who write to it have nobody to tell of a failure, such as a full
// disk, so it remembers the first.
type stdout struct {
	to io.Writer

	mu  sync.Mutex
	err error // guarded by mu
}

// Write takes a reader that wants no more, such as head, for no failure.
func (o *stdout) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.err = cmp.Or(o.err, err)
	}
	return n, err
}

// failure is why something that was written is not there, or nil.
func (o *stdout) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// Run runs one command line and returns the exit code.
func Run(ctx context.Context, args []string, std Stdio, apps []func() app.App) int {
	if isTerminal(std.Out) { // a person sees what is missing, and others ask it for its size
		code, _ := run(ctx, args, std, apps)
		return code
	}
	out := &stdout{to: std.Out}
	std.Out = out
	code, err := run(ctx, args, std, apps)
	failed := out.failure()
	if failed == nil || errors.Is(err, failed) { // the command has told itself
		return code
	}
	if path := (*fs.PathError)(nil); errors.As(failed, &path) {
		failed = path.Err
	}
	_, _ = fmt.Fprintf(std.Err, "peerlab: error: standard output: %v\n", failed)
	return cmp.Or(code, exitFailed)
}

// run runs one command line, and tells of its error.
func run(ctx context.Context, args []string, std Stdio, apps []func() app.App) (code int, err error) {
	parsed := false
	root := newRoot(std, apps)
	root.PersistentPreRun = func(*cobra.Command, []string) { parsed = true }
	root.SetArgs(args)
	root.SetIn(std.In)
	root.SetOut(std.Out)
	root.SetErr(std.Err)
	err = root.ExecuteContext(ctx)
	if err == nil {
		return 0, nil
	}
	code = exitFailed
	var e exit
	switch {
	case errors.As(err, &e):
		code = e.code
		if e.err == nil {
			return code, err
		}
	case !parsed: // cobra did not understand the command line
		code = exitUsage
	}
	for line := range strings.SplitSeq(err.Error(), "\n") { // of errors that are several, each has a line
		_, _ = fmt.Fprintf(std.Err, "peerlab: error: %s\n", command.Clean(line))
	}
	if !parsed {
		_, _ = fmt.Fprintln(std.Err, "peerlab: hint: peerlab --help, or --help after a subcommand, tells what there is")
	}
	return code, err
}

func newRoot(std Stdio, apps []func() app.App) *cobra.Command {
	root := &cobra.Command{
		Use:   "peerlab",
		Short: "a lab for peer-to-peer systems: bootstrap service, peers with a console, and tests from scripts",
		Long: "peerlab is one program with three roles. A bootstrap service tells peers whom to contact first;\n" +
			"peers find each other and run an application, with a console inside each of them;\n" +
			"a coordinator runs suites: one line, one command for one named peer, plus expectations.",
		Example: "  peerlab bootstrap\n" +
			"  peerlab peer --bootstrap 127.0.0.1:7700 --name alice\n" +
			"  peerlab coordinator run examples/first.lab",
		Version:       node.VersionLine(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newBootstrap(std), newPeer(std, apps), newCoordinator(std, apps), newConsole(std), newCerts(std), newFunctions(std), newVersion(std))
	return root
}

func newVersion(std Stdio) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "say which build this is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(std.Out, "peerlab", node.VersionLine())
			return err
		},
	}
}

// untilSignal ends the context at the first of the signals; the second ends the process.
func untilSignal(ctx context.Context, signals ...os.Signal) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, signals...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case s := <-ch:
			signal.Stop(ch)
			cancel(signalError{s})
		case <-ctx.Done():
			signal.Stop(ch)
		}
	}()
	return ctx, func() {
		cancel(context.Canceled)
		<-done
	}
}

// signalError is the cause of a context that a signal ended.
type signalError struct{ os.Signal }

func (e signalError) Error() string { return "interrupted: " + e.String() }

// interrupted is the exit for a context that a signal ended, or nil.
func interrupted(ctx context.Context) error {
	var s signalError
	if !errors.As(context.Cause(ctx), &s) {
		return nil
	}
	if s.Signal == syscall.SIGTERM {
		return exit{code: exitTerminated, err: s}
	}
	return exit{code: exitInterrupt, err: s}
}
