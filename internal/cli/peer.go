package cli

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/peer"
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
	allowShell  bool
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
			f.scripted = cmd.Flags().Changed("exec") || cmd.Flags().Changed("file")
			return runPeer(cmd.Context(), std, &f, apps)
		},
	}
	f.common.add(cmd, "warn")
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
	fs.BoolVar(&f.allowShell, "allow-shell", false, "let consoles elsewhere and coordinators run shell scripts here")
	f.consoleLook.add(cmd)
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
