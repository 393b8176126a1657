package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/membership"
	"peerlab.example/peerlab/internal/predict"
)

// predictFlags are the flags of "peerlab coordinator predict".
type predictFlags struct {
	profile string
	tune    []string
	loss    string
	json    bool
}

func newCoordinatorPredict(std Stdio) *cobra.Command {
	var f predictFlags
	cmd := &cobra.Command{
		Use:   "predict N…",
		Short: "what to expect of N peers: how fast news spreads, when a crash is noticed, what it costs",
		Long: "Computes the expected figures of memberlist's gossip with a profile, and runs nothing. Where theory and a measured lab differ, the lab is\n" +
			"right: compare with coordinator run --runner sim --fast.",
		Example: "  peerlab coordinator predict 10 100 1000\n" +
			"  peerlab coordinator predict --profile wan --tune gossip-nodes=5 --loss 2% 300",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := f.figures(args)
			if err != nil {
				return exit{exitUsage, err}
			}
			if f.json {
				return json.NewEncoder(std.Out).Encode(all)
			}
			return printFigures(std.Out, all)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", "lan", "timings of membership: "+strings.Join(membership.Profiles(), ", "))
	flags.StringArrayVar(&f.tune, "tune", nil, "FIELD=VALUE: change one timing of the profile, such as probe-interval=200ms; may be repeated")
	flags.StringVar(&f.loss, "loss", "0%", "share of packets that are lost")
	flags.BoolVar(&f.json, "json", false, "write JSON: durations in nanoseconds")
	return cmd
}

// figures are those of each number of peers.
func (f *predictFlags) figures(args []string) ([]predict.Figures, error) {
	tuning, err := membership.Profile(f.profile)
	if err != nil {
		return nil, fmt.Errorf("--profile: %w", err)
	}
	for _, t := range f.tune {
		field, value, ok := strings.Cut(t, "=")
		if !ok {
			return nil, fmt.Errorf("--tune %q is not FIELD=VALUE, such as probe-interval=200ms", t)
		}
		if err := tuning.Set(field, value); err != nil {
			hint := ""
			if near := command.Nearest(field, lab.TimingNames()); near != "" && near != field {
				hint = fmt.Sprintf("; did you mean %q?", near)
			}
			return nil, fmt.Errorf("--tune %s: %w%s", t, err, hint)
		}
	}
	percent, isPercent := strings.CutSuffix(f.loss, "%")
	loss, err := strconv.ParseFloat(percent, 64)
	if err != nil || !isPercent {
		return nil, fmt.Errorf("--loss %q is not a share such as 2%%", f.loss)
	}
	var out []predict.Figures
	for _, arg := range args {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number of peers", arg)
		}
		one, err := predict.Of(predict.Lab{Peers: n, Tuning: tuning, Loss: loss / 100})
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// sources are where the formulas come from; the doc comments of package predict have them in full.
const sources = `
message   push epidemic, i' = i + (n-i)(1-(1-1/(n-1))^(s(1-loss))), with memberlist's retransmit limit (Demers et al. 1987; serf's convergence simulator)
suspect   probes come as a Poisson process, one each probe interval; one more until the probe has failed (SWIM, Das et al. 2002, section 3.1)
lost      suspicion timeout with confirmations (Lifeguard, Dadgar et al. 2017; memberlist's suspicion.go), and spreading on top for "by all"
false     (1-(1-p)^2)(1-(1-p)^4)^k per probe (SWIM, section 4.1), before memberlist tries a stream as well
packets   a ping and an ack each probe interval, sent by each peer; gossip comes on top when there is news, and the application's own calls
states    entries of members in full syncs, both ways, with memberlist's pushPullScale
`

func printFigures(w io.Writer, all []predict.Figures) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "peers\tmessage to half\tto 99 %\tto all\tsuspected\tlost\tlost by all\tfalse suspicion\tpackets/s\tstates/s\t")
	for _, f := range all {
		_, _ = fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%.2g\t%.1f\t%.1f\t\n", f.Peers, spread(f.Half, f.Peers <= 2), spread(f.Most, f.Peers == 1), spread(f.All, f.Peers == 1),
			shown(f.Suspected), shown(f.Lost), shown(f.LostByAll), f.FalseSuspicion, f.Packets, f.States)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprint(w, sources)
	return err
}

func shown(d time.Duration) string { return d.Round(10 * time.Millisecond).String() }

// spread is when so many know, if gossip gets so far. Known at once is what the sender alone makes so many, as it is half of two.
func spread(d time.Duration, atOnce bool) string {
	if d == 0 && !atOnce {
		return "full sync"
	}
	return shown(d)
}
