package cli

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/testcoord"
)

// The runners of "coordinator run".
const (
	onProcesses = "process"
	inNetns     = "netns"
	onAttach    = "attach"
	inSim       = sim.RunnerName

	onKubernetes = "kubernetes"
)

// how says what starts the peers, and with what values the suites are read.
type how struct {
	runner string
	netns  bool // the older word for --runner netns
	seed   uint64
	seeded bool // the user has said so
	set    []string
	sim    simFlags
	read   *readOnce // what the suites were read with; nil before parsing

	timeout, stepTimeout time.Duration
}

func (h *how) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&h.runner, "runner", onProcesses, "what starts the peers: "+strings.Join(h.runners(), ", "))
	flags.BoolVar(&h.netns, "netns", false, "the same as --runner netns: give each peer a network namespace with an own address; needs root on Linux")
	flags.Uint64Var(&h.seed, "seed", 0, "what chance is made of: choices of the suite, and faults that strike by chance; further rounds count up from it (default that of the suite, or another one each time)")
	flags.StringArrayVar(&h.set, "set", nil, "NAME=VALUE: the value of a param of the suites; may be repeated")
	flags.DurationVar(&h.timeout, "timeout", 0, "how long a suite may take that does not say so itself (default for ever)")
	flags.DurationVar(&h.stepTimeout, "step-timeout", defaultStepTimeout, "how long a command may take that has no \"within\"")
	h.sim.add(cmd)
}

// defaultStepTimeout is long enough for all that a console can do on a busy machine.
const defaultStepTimeout = 30 * time.Second

// runners are those that can be asked for.
func (h *how) runners() []string {
	return []string{onProcesses, inNetns, onAttach, onKubernetes, inSim}
}

// attached reports whether the peers are started by another than this process, and attach.
func (h *how) attached() bool { return h.runner == onAttach || h.runner == onKubernetes }

// settle takes the flags as one: the runner has its name, and chance its seed.
func (h *how) settle(cmd *cobra.Command) error {
	if h.netns {
		if cmd.Flags().Changed("runner") && h.runner != inNetns {
			return exit{exitUsage, errors.New("--netns and --runner " + h.runner + " exclude each other")}
		}
		h.runner = inNetns
	}
	if !slices.Contains(h.runners(), h.runner) {
		return exit{exitUsage, fmt.Errorf("--runner %q: is none of %s", h.runner, strings.Join(h.runners(), ", "))}
	}
	if h.runner == inNetns && cmd.Flags().Changed("listen") {
		return exit{exitUsage, errors.New("--listen is not for --runner netns, where the coordinator has an address of its own")}
	}
	if h.runner == inSim && cmd.Flags().Changed("listen") {
		return exit{exitUsage, errors.New("--listen is not for --runner sim, whose coordinator listens within the simulation only")}
	}
	if h.timeout < 0 || h.stepTimeout <= 0 {
		return exit{exitUsage, errors.New("--timeout and --step-timeout are durations such as 90s or 5m")}
	}
	if err := h.sim.check(cmd, h.runner); err != nil {
		return err
	}
	if h.seeded = cmd.Flags().Changed("seed"); !h.seeded {
		h.seed = uint64(rand.Uint32()) // short enough to be typed again
	}
	return nil
}

// seedOf is the seed of a round, which counts from 1, of a suite.
func (h *how) seedOf(suite *testcoord.Suite, round int) uint64 {
	seed := h.seed
	if !h.seeded && suite.Seed != 0 {
		seed = suite.Seed
	}
	return seed + uint64(max(round-1, 0))
}

// parsing is how the suites are to be read. From then on, specOf has what was read so.
func (h *how) parsing() (testcoord.ParseOptions, error) {
	values, err := params(h.set)
	h.read = &readOnce{}
	return testcoord.ParseOptions{Runner: h.runner, Params: values, Read: h.read.file}, err
}

// again tells how to see a run again: all of it where that is possible, else what chance has done.
func (f *runFlags) again(file string) string {
	h := &f.how
	if h.runner != inSim || h.sim.fast {
		return fmt.Sprintf("the same choices and chances again: --seed %d", h.seed)
	}
	words := []string{"this very run again: peerlab coordinator run --runner sim --seed", strconv.FormatUint(h.seed, 10)}
	if h.sim.latency != sim.DefaultProfile {
		words = append(words, "--latency", h.sim.latency)
	}
	if h.sim.guest != "" {
		words = append(words, "--guest", shellWord(h.sim.guest))
	}
	if h.timeout > 0 {
		words = append(words, "--timeout", h.timeout.String())
	}
	if h.stepTimeout > 0 && h.stepTimeout != defaultStepTimeout {
		words = append(words, "--step-timeout", h.stepTimeout.String())
	}
	if f.keepGoing {
		words = append(words, "--keep-going")
	}
	if f.keep > 0 && f.keep != testcoord.DefaultKeepEvents {
		words = append(words, "--keep-events", strconv.Itoa(f.keep))
	}
	for _, value := range h.set {
		words = append(words, "--set", shellWord(value))
	}
	return command.Clean(strings.Join(append(words, shellWord(file)), " "))
}
