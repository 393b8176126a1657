package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/testcoord"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
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
	cmd.AddCommand(newCoordinatorRun(std, apps), newCoordinatorCheck(std, apps), newCoordinatorFmt(std))
	return cmd
}

// runFlags are the flags of "peerlab coordinator run".
type runFlags struct {
	common
	listen    string
	logs      string
	verbose   bool
	keepGoing bool
	how       how
	plan      plan
	reports   reportFlags
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
			"  peerlab coordinator run --until-failure examples/restart.lab",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if err := f.how.settle(cmd); err != nil {
				return err
			}
			return runSuites(cmd.Context(), std, &f, apps, files)
		},
	}
	f.add(cmd, "warn")
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:0", "host:port that the peers attach to; port 0 means any")
	cmd.Flags().StringVar(&f.logs, "logs", "", "folder for the whole output of each peer")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show the output of commands that pass, too")
	f.how.add(cmd)
	f.plan.add(cmd)
	f.reports.add(cmd)
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
func runSuite(ctx context.Context, std Stdio, f *runFlags, security *node.Security, log zerolog.Logger, suite *testcoord.Suite) (run *report.Run, err error) {
	ground, err := newGround(ctx, f, suite.Peers, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ground.Close()) }()
	boot, err := lab.StartBootstrap(ctx, lab.BootstrapConfig{Listen: ground.bootstrap.listen, Network: ground.bootstrap.network, Security: security, Log: log})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, boot.Close()) }()
	conn, err := node.Dial(ground.coordinator.network, security, boot.Addr())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	server := node.NewServer(node.ServerConfig{
		Role: "coordinator", Name: "coordinator", Network: ground.coordinator.network, Security: security, Events: event.New("coordinator", event.Keep), Log: log,
	})
	defer func() { err = errors.Join(err, server.Close()) }()
	runner := &processRunner{flags: f, suite: suite, ground: ground, bootstrap: boot.Addr(), log: log}
	coordinator := testcoord.New(suite, testcoord.Options{
		Runner: runner.runner(), Bootstrap: bootstrapv1.NewBootstrapServiceClient(conn), Control: boot, Faults: ground.faults(),
		RunnerName: f.how.runner, Facts: facts(f.security), Seed: f.how.seed,
		Out: std.Out, Color: isTerminal(std.Out) && wantColor(), Verbose: f.verbose, KeepGoing: f.keepGoing, Log: log,
	})
	testcoordv1.RegisterCoordinatorServiceServer(server, coordinator)
	if err := server.Start(ctx, ground.coordinator.listen); err != nil {
		return nil, bindError(err)
	}
	server.SetServing(true)
	runner.coordinator = server.Addr()
	if f.verbose {
		_, _ = fmt.Fprintf(std.Out, "coordinator listens on %s\n", server.Addr())
	}
	result, err := coordinator.Run(ctx)
	known, missed := coordinator.Log()
	return reportOf(suite, &f.how, result, known, missed), err
}

// processRunner starts this very program again, once for each peer.
type processRunner struct {
	flags                  *runFlags
	suite                  *testcoord.Suite
	ground                 *ground
	bootstrap, coordinator string
	log                    zerolog.Logger
}

func (r *processRunner) runner() testcoord.Runner {
	return &testcoord.ProcessRunner{Command: r.command, Logs: r.flags.logs}
}

func (r *processRunner) command(name string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("this program's own path: %w", err)
	}
	profile := r.suite.Profile
	if profile == "" {
		profile = defaultSuiteProfile
	}
	args := []string{
		"peer", "--name", name, "--bootstrap", r.bootstrap, "--coordinator", r.coordinator,
		"--profile", profile, "--seed", strconv.FormatUint(r.flags.how.seed, 10), "--log-level", "info", "--log-format", "console",
	}
	for flag, value := range map[string]string{
		"--token-file": r.flags.security.TokenFile, "--tls-cert": r.flags.security.CertFile,
		"--tls-key": r.flags.security.KeyFile, "--tls-ca": r.flags.security.CAFile,
	} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	cmd := exec.Command(path, args...)      //nolint:gosec // this program itself
	cmd.Env = withoutSettings(os.Environ()) // a suite is the same in each shell
	// The same name as this process was called by, for programs that are several in one.
	cmd.Args[0] = os.Args[0]
	return r.ground.peer(name, cmd)
}

// faults are those of the kernel, in namespaces; nil where the peers have rules of their own.
func (g *ground) faults() testcoord.Faults {
	if g.lab != nil {
		return g.lab
	}
	return nil
}
