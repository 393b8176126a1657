package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/testcoord"
)

// attachFlags are the flags of runs whose peers are started by others.
type attachFlags struct {
	timeout   time.Duration
	bootstrap string
	advertise string
	// kept are the addresses of the first run, which all further ones have, too: who starts the peers knows them.
	kept *addresses
}

// addresses are those of the coordinator and of the run's own bootstrap service, as they are bound; empty while not known.
type addresses struct{ coordinator, bootstrap string }

func (f *attachFlags) add(cmd *cobra.Command) {
	f.kept = &addresses{}
	flags := cmd.Flags()
	flags.DurationVar(&f.timeout, "attach-timeout", 5*time.Minute, "with --runner attach or kubernetes, wait so long for all peers to attach")
	flags.StringVar(&f.bootstrap, "bootstrap", "", "with --runner attach or kubernetes, the bootstrap service of the peers (default one of the run's own, on the host of --listen)")
	flags.StringVar(&f.advertise, "advertise", "", "with --runner attach or kubernetes, the host that peers are told, when --listen binds all (0.0.0.0); with kubernetes also host:port")
}

// check refuses what does not go with the runner.
func (f *attachFlags) check(cmd *cobra.Command, run *runFlags) error {
	if !run.how.attached() {
		for _, name := range []string{"attach-timeout", "bootstrap", "advertise"} {
			if cmd.Flags().Changed(name) {
				return exit{exitUsage, fmt.Errorf("--%s is for --runner %s and %s", name, onAttach, onKubernetes)}
			}
		}
		return nil
	}
	if f.timeout <= 0 {
		return exit{exitUsage, fmt.Errorf("--attach-timeout %s: must be more than 0", f.timeout)}
	}
	if run.plan.parallel > 1 && run.how.runner == onAttach {
		return exit{exitUsage, errors.New("--parallel is not for --runner attach: peers attach to one run, the others would wait for them; use --repeat")}
	}
	if err := checkEndpoints(f.bootstrap); err != nil {
		return exit{exitUsage, fmt.Errorf("--bootstrap: %w", err)}
	}
	return nil
}

// cannot are the abilities of the runner that this run lacks.
func (f *attachFlags) cannot() []testcoord.Ability {
	if f.bootstrap == "" {
		return nil
	}
	return []testcoord.Ability{testcoord.CanBootstrap}
}

// attachGround is where the coordinator's own servers are when peers are anywhere: the bootstrap service is on the same
// host as the coordinator.
func attachGround(f *runFlags, here *ground) *ground {
	kept := f.attach.kept
	host, _, _ := net.SplitHostPort(f.listen) // CheckBind has looked at it
	here.coordinator.listen = cmp.Or(kept.coordinator, f.listen)
	here.bootstrap.listen = cmp.Or(kept.bootstrap, net.JoinHostPort(host, "0"))
	return here
}

// keep makes all further runs have the addresses of this one.
func (f *attachFlags) keep(coordinator string, boot *rendezvous) {
	f.kept.coordinator = coordinator
	if boot.own != nil {
		f.kept.bootstrap = boot.own.Addr()
	}
}

// reach is the address that others are told for a server that is bound to addr.
func (f *attachFlags) reach(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = cmp.Or(f.advertise, ownAddress(), host)
	}
	return net.JoinHostPort(host, port)
}

// ownAddress is an address of this machine that others may reach; empty when it has none.
func ownAddress() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

// invitation is how the peers of a run are started by hand.
type invitation struct {
	flags                  *runFlags
	suite                  *testcoord.Suite
	coordinator, bootstrap string
}

// command is the line that starts a peer.
func (i *invitation) command(name string) string {
	words := append([]string{os.Args[0]}, peerArgs(i.flags, i.suite, name, i.bootstrap, i.coordinator)...)
	if i.flags.security.Insecure {
		words = append(words, "--insecure")
	}
	for n, w := range words {
		words[n] = shellWord(w)
	}
	return strings.Join(words, " ")
}

// head tells where the run is, before it waits for peers.
func (i *invitation) head() string {
	s := fmt.Sprintf("coordinator on %s, bootstrap service %s", i.coordinator, i.bootstrap)
	if host, _, _ := net.SplitHostPort(i.coordinator); !net.ParseIP(host).IsLoopback() {
		s += "\neach peer needs an address of its own machine that the others reach: add --listen ADDRESS:0 --gossip ADDRESS:0"
	}
	return s
}

// peerArgs are the arguments of a peer of a run.
func peerArgs(f *runFlags, suite *testcoord.Suite, name, bootstrap, coordinator string) []string {
	return slices.Concat([]string{"peer", "--name", name}, runArgs(f, suite, bootstrap, coordinator), securityArgs(f.security))
}

// runArgs are those that all peers of a run have.
func runArgs(f *runFlags, suite *testcoord.Suite, bootstrap, coordinator string) []string {
	return []string{
		"--bootstrap", bootstrap, "--coordinator", coordinator,
		"--profile", cmp.Or(suite.Profile, defaultSuiteProfile), "--seed", strconv.FormatUint(f.how.seed, 10),
	}
}

// securityArgs are the flags by which a peer speaks to servers that are protected so.
func securityArgs(s node.SecurityConfig) []string {
	var args []string
	for _, one := range [][2]string{{"--token-file", s.TokenFile}, {"--tls-cert", s.CertFile}, {"--tls-key", s.KeyFile}, {"--tls-ca", s.CAFile}, {"--tls-ca-key", s.CAKeyFile}} {
		if one[1] != "" {
			args = append(args, one[0], one[1])
		}
	}
	return args
}

// plain are the characters that mean nothing to a shell, beside letters and digits of ASCII.
const plain = "_./:=,@%+-"

// shellWord is a word as a POSIX shell reads it back.
func shellWord(w string) string {
	special := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(plain, r))
	}
	if w != "" && !strings.ContainsFunc(w, special) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
