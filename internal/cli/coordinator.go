package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/testcoord"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// defaultSuiteProfile is the gossip profile of suites that name none: a test wants to know of
// a loss soon.
const defaultSuiteProfile = "fast"

func newCoordinator(std Stdio, apps []func() app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "coordinator",
		Short: "run tests with many peers from suites",
		Long:  "A suite is a text file: one line is one command for one named peer, plus expectations.",
		Args:  cobra.NoArgs, // so that an unknown subcommand is an error
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCoordinatorRun(std, apps), newCoordinatorServe(std, apps), newCoordinatorCheck(std, apps), newCoordinatorFmt(std), newCoordinatorExplore(std, apps),
		newCoordinatorStudy(std, apps), newCoordinatorPredict(std))
	cmd.AddCommand(newGuests(std, apps)...)
	return cmd
}

// runFlags are the flags of "peerlab coordinator run".
type runFlags struct {
	common
	listen     string
	logs       string
	verbose    bool
	keepGoing  bool
	keep       int // events of each peer
	how        how
	plan       plan
	reports    reportFlags
	attach     attachFlags
	kubernetes kubernetesFlags
	ui         uiFlags
	hands      *handsOn
}

func newCoordinatorRun(std Stdio, apps []func() app.App) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SUITE|FOLDER…",
		Short: "run suites: start the peers they name, run the lines, tell what passed",
		Long: "Starts a bootstrap service of its own and a peer process for each name in the suite, runs the\n" +
			"lines and ends everything. Of a folder, all files that end in .lab or .cmd are run. Exit code: 0 all passed, 1 something failed, 2 a suite cannot be read.",
		Example: "  peerlab coordinator run examples/first.lab\n" +
			"  peerlab coordinator run --tag membership --parallel 2 examples\n" +
			"  peerlab coordinator run --until-failure examples/restart.lab\n" +
			"  peerlab coordinator run --runner attach --listen 127.0.0.1:7700 examples/first.lab",
	}
	return runCommand(cmd, std, &f, apps, "")
}

// runCommand completes a command that runs suites. ui is where its pages are by default; empty for nowhere.
func runCommand(cmd *cobra.Command, std Stdio, f *runFlags, apps []func() app.App, ui string) *cobra.Command {
	cmd.Args = cobra.MinimumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		if err := f.how.settle(cmd); err != nil {
			return err
		}
		if err := f.attach.check(cmd, f); err != nil {
			return err
		}
		if err := f.kubernetes.check(cmd, f); err != nil {
			return err
		}
		return runSuites(cmd.Context(), std, f, apps, files)
	}
	f.add(cmd, "warn")
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:0", "host:port that the peers attach to; port 0 means any")
	cmd.Flags().StringVar(&f.logs, "logs", "", "folder for what each peer writes and logs: NAME.log, and its events, NAME.events.jsonl")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show the output of commands that pass, too")
	cmd.Flags().IntVar(&f.keep, "keep-events", testcoord.DefaultKeepEvents, "keep so many events of each peer; what a peer logs beyond that is counted, and told")
	f.how.add(cmd)
	f.hands = &handsOn{}
	f.hands.add(cmd)
	f.plan.add(cmd)
	f.reports.add(cmd)
	f.attach.add(cmd)
	f.kubernetes.add(cmd)
	f.ui.add(cmd, ui)
	cmd.Flags().BoolVar(&f.keepGoing, "keep-going", false, "go on after a step that failed")
	return cmd
}

func (f *runFlags) logger(std Stdio) (zerolog.Logger, error) {
	logs, err := f.common.logs(std.Err, isTerminal(std.Err))
	if err != nil {
		return zerolog.Nop(), err
	}
	return logs.Logger(), nil
}

// runSuite runs one suite with a bootstrap service and a coordinator of its own.
func runSuite(ctx context.Context, std Stdio, f *runFlags, security *node.Security, log zerolog.Logger, suite *testcoord.Suite, seen *sight) (run *report.Run, err error) {
	ground, err := newGround(ctx, f, suite.Peers, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ground.Close()) }()
	memories, err := newMemories()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, memories.Close()) }()
	boot, err := newRendezvous(ctx, f, ground, security, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, boot.Close()) }()
	server := node.NewServer(node.ServerConfig{
		Role: "coordinator", Name: "coordinator", Network: ground.coordinator.network, Security: security, Events: event.New("coordinator", event.Keep), Log: log,
	})
	defer func() { err = errors.Join(err, server.Close()) }()
	runner := &processRunner{flags: f, suite: suite, ground: ground, memories: memories, group: groupOfRun(), bootstrap: boot.addr, log: log}
	invite := &invitation{flags: f, suite: suite, bootstrap: boot.addr}
	opt := f.options(std)
	opt.Bootstrap, opt.Control, opt.Faults, opt.Observer, opt.Log = boot.client, boot.control(), ground.faults(), seen.observer(), log
	cluster := newPods(f, suite, security, std.Out)
	switch f.how.runner {
	case onAttach:
		opt.Invite, opt.StartTimeout = invite.command, f.attach.timeout
	case onKubernetes:
		cluster.options(&opt)
	default:
		opt.Runner, opt.Group = runner.runner(), runner.group
	}
	var coordinator *testcoord.Coordinator
	f.hands.join(std, f, &opt, func() *testcoord.Coordinator { return coordinator }, boot.addr)
	coordinator = testcoord.New(suite, opt)
	seen.follow(coordinator)
	testcoordv1.RegisterCoordinatorServiceServer(server, coordinator)
	if err := server.Start(ctx, ground.coordinator.listen); err != nil {
		return nil, bindError(fmt.Errorf("coordinator: %w", err))
	}
	server.SetServing(true)
	runner.coordinator, invite.coordinator = server.Addr(), f.attach.reach(server.Addr())
	begin := coordinator.Run
	switch {
	case f.how.runner == onKubernetes:
		begin = cluster.around(coordinator, boot.addr, server.Addr())
	case f.how.runner == onAttach:
		f.attach.keep(server.Addr(), boot)
		_, _ = fmt.Fprintln(std.Out, invite.head())
	case f.verbose:
		_, _ = fmt.Fprintf(std.Out, "coordinator listens on %s\n", server.Addr())
	}
	result, err := begin(ctx)
	if result == nil { // nothing has run
		return nil, err
	}
	known, missed := coordinator.Log()
	err = errors.Join(err, writeEventLogs(f.logs, suite.Peers, known))
	return reportOf(suite, &f.how, result, known, missed), err
}

// options are those that the flags give.
func (f *runFlags) options(std Stdio) testcoord.Options {
	return testcoord.Options{
		RunnerName: f.how.runner, Facts: facts(), Seed: f.how.seed,
		Out: std.Out, Color: isTerminal(std.Out) && wantColor(), Verbose: f.verbose, KeepGoing: f.keepGoing, KeepEvents: f.keep,
		Timeout: f.how.timeout, StepTimeout: f.how.stepTimeout,
	}
}

// groupOfRun is a group that no other run has. Peers look for those who are gone at their addresses, and the port of one may be that
// of another run's peer by then.
func groupOfRun() string { return "run-" + strings.ToLower(rand.Text()) }

// processRunner starts this very program again, once for each peer.
type processRunner struct {
	flags                  *runFlags
	suite                  *testcoord.Suite
	ground                 *ground
	memories               *memories
	group                  string // of the peers
	bootstrap, coordinator string
	log                    zerolog.Logger
}

func (r *processRunner) runner() testcoord.Runner {
	return forgetfulRunner{&testcoord.ProcessRunner{Command: r.command, Logs: r.flags.logs}, r.memories}
}

func (r *processRunner) command(name string) (*exec.Cmd, error) {
	args := append(peerArgs(r.flags, r.suite, name, r.bootstrap, r.coordinator), "--group", r.group, "--memory", r.memories.of(name), "--log-level", "info", "--log-format", "console")
	cmd, err := itself(args...)
	if err != nil {
		return nil, err
	}
	return r.ground.peer(name, cmd)
}

// itself is this very program with other arguments, and without the settings of this shell.
func itself(args ...string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("this program's own path: %w", err)
	}
	cmd := exec.Command(path, args...)      //nolint:gosec // this program itself
	cmd.Env = withoutSettings(os.Environ()) // a suite is the same in each shell
	// The same name as this process was called by, for programs that are several in one.
	cmd.Args[0] = os.Args[0]
	return cmd, nil
}

// faults are those of the kernel, in namespaces; nil where the peers have rules of their own.
func (g *ground) faults() testcoord.Faults {
	if g.lab != nil {
		return g.lab
	}
	return nil
}
