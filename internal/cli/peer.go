package cli

import (
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/peer"
)

// peerFlags are the flags of "peerlab peer".
type peerFlags struct {
	common
	settings    *settings
	peer        peer.Config
	exec        string
	file        string
	scripted    bool // exec or file was given, be it empty
	coordinator string
	// coordinatorTimeout is how long a coordinator that is not there is waited for.
	coordinatorTimeout time.Duration
	seed               uint64 // of faults that strike by chance
	memory             string // where members are remembered, instead of the user's state directory
	noConsole          bool
	init               string
	allowShell         bool
	consoleLook
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
			if !cmd.Flags().Changed("seed") {
				f.seed = rand.Uint64()
			}
			return runPeer(cmd.Context(), std, &f, apps)
		},
	}
	f.operators, f.components = true, lab.Components(apps)
	table := lab.Settings(apps, checkEndpoints)
	f.settings = addSettings(cmd, table, func(v config.Values) error {
		f.scripted = cmd.Flags().Changed("exec") || cmd.Flags().Changed("file")
		return f.fill(v)
	})
	f.settings.addFile(cmd)
	fs := cmd.Flags()
	fs.Var(&tuneFlag{settings: f.settings}, "tune", "change one timing of the profile, such as probe-interval=200ms, which is the same as --probe-interval 200ms; may be repeated")
	fs.StringVarP(&f.exec, "exec", "e", "", "run these commands, separated by ; or line ends, and end")
	fs.StringVarP(&f.file, "file", "f", "", "run the commands in this file, and end")
	fs.StringVar(&f.coordinator, "coordinator", "", "host:port of a coordinator that gives the commands")
	fs.DurationVar(&f.coordinatorTimeout, "coordinator-timeout", 0, "wait so long for a coordinator that is not there yet, or is between two runs")
	fs.Uint64Var(&f.seed, "seed", 0, "what the chance of faults is made of (default another one each time)")
	fs.StringVar(&f.memory, "memory", "", "folder in which addresses of members are kept from one start to the next (default the user's state directory; with --coordinator nowhere)")
	exclusive(cmd, "exec", "file", "coordinator", "no-console")
	return cmd
}

// fill takes the values of the settings.
func (f *peerFlags) fill(v config.Values) error {
	f.common.fill(v)
	tuning, err := lab.Tuning(v.Get)
	if err != nil {
		return err
	}
	timeout, err := app.ParseDuration(v.Get("bootstrap-timeout"))
	f.peer = peer.Config{
		Name: v.Get("name"), Group: v.Get("group"), BootstrapAddr: v.Get("bootstrap"), BootstrapTimeout: timeout,
		Listen: v.Get("listen"), Gossip: v.Get("gossip"), Advertise: v.Get("advertise"), Tuning: tuning,
	}
	works := f.scripted || f.coordinator != "" // it was told on the command line what to do
	f.noConsole = v.Get("no-console") == "true" && !works
	f.init = v.Get("init")
	if f.init == "auto" {
		f.init = "yes"
		if works {
			f.init = "no"
		}
	}
	f.allowShell = v.Get("allow-shell") == "true"
	f.logColor = v.Get("color")
	f.security.Hosts = []string{hostOf(f.peer.Listen), f.peer.Advertise}
	f.consoleLook.fill(v)
	return err
}
