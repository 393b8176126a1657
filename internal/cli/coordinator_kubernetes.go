package cli

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"peerlab.example/peerlab/internal/kubernetes"
	"peerlab.example/peerlab/internal/node"
)

// kubernetesFlags are the flags of runs whose peers are pods.
type kubernetesFlags struct {
	cluster         kubernetes.Config
	job             string
	bootstrapListen string
	launcher        *kubernetes.Launcher // set by check
}

// kubernetesOnly are the flags that only this runner has.
var kubernetesOnly = []string{
	"image", "image-pull-policy", "namespace", "kubeconfig", "context", "cpu", "memory", "node-selector", "job", "bootstrap-listen",
}

func (f *kubernetesFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	text := func(p *string, name, usage string) { flags.StringVar(p, name, "", "with --runner kubernetes, "+usage) }
	text(&f.cluster.Image, "image", "the container image of the peers")
	text(&f.cluster.PullPolicy, "image-pull-policy", "when it is pulled: Always, IfNotPresent or Never (default the cluster's)")
	text(&f.cluster.Namespace, "namespace", "the namespace of the job (default the context's)")
	text(&f.cluster.Kubeconfig, "kubeconfig", "the file that names the cluster (default $KUBECONFIG, ~/.kube/config, or the cluster around this process)")
	text(&f.cluster.Context, "context", "the context in that file (default its current one)")
	text(&f.cluster.CPU, "cpu", "how much processor a pod requests, such as 100m (default none)")
	text(&f.cluster.Memory, "memory", "how much memory a pod requests and may use, such as 64Mi (default none)")
	flags.StringToStringVar(&f.cluster.NodeSelector, "node-selector", nil, "with --runner kubernetes, LABEL=VALUE: a label of the nodes that may have pods; may be repeated")
	text(&f.job, "job", "the name of the job (default one made of the suite's name and chance)")
	text(&f.bootstrapListen, "bootstrap-listen", "host:port of the run's own bootstrap service (default any port on the host of --listen)")
}

// check refuses what does not go with the runner.
func (f *kubernetesFlags) check(cmd *cobra.Command, run *runFlags) error {
	if run.how.runner != onKubernetes {
		for _, name := range kubernetesOnly {
			if cmd.Flags().Changed(name) {
				return exit{exitUsage, fmt.Errorf("--%s is for --runner %s", name, onKubernetes)}
			}
		}
		return nil
	}
	s := run.security
	switch {
	case f.cluster.Image == "":
		return exit{exitUsage, errors.New("--runner kubernetes needs --image: a container image whose entry point is peerlab")}
	case s.CertFile != "" || s.CAFile != "" || s.CAKeyFile != "":
		return exit{exitUsage, errors.New("--tls-… is not for --runner kubernetes: no certificate can name the addresses of pods that are not there yet, so that " +
			"each run has a CA of its own; leave it away, or say --insecure for no TLS")}
	case run.attach.bootstrap != "" && !s.Insecure:
		return exit{exitUsage, errors.New("--bootstrap with --runner kubernetes needs --insecure: another's service knows nothing of the run's own CA")}
	case run.attach.bootstrap != "" && f.bootstrapListen != "":
		return exit{exitUsage, errors.New("--bootstrap and --bootstrap-listen exclude each other")}
	case run.plan.parallel > 1 && (fixedPort(f.bootstrapListen) || fixedPort(run.attach.advertise)):
		return exit{exitUsage, errors.New("--parallel wants a port for each run: --bootstrap-listen with port 0, and --advertise without one")}
	case f.job != "" && run.plan.parallel > 1:
		return exit{exitUsage, errors.New("--job and --parallel exclude each other: each run needs a name of its own")}
	}
	if run.attach.advertise == "" && !cmd.Flags().Changed("listen") {
		return exit{exitUsage, errors.New("--runner kubernetes needs --listen with an address that pods can reach, such as 0.0.0.0:7700, or --advertise")}
	}
	var err error
	if f.launcher, err = kubernetes.New(f.cluster); err != nil {
		return exit{exitUsage, err}
	}
	return f.secure(run)
}

// fixedPort reports whether addr, a host or host:port, has one port for all runs.
func fixedPort(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	return err == nil && port != "0"
}

// secure gives the run a CA and a token of its own, as far as the user has not said otherwise.
func (f *kubernetesFlags) secure(run *runFlags) (err error) {
	s := &run.security
	if s.Insecure {
		return nil
	}
	if s.TokenFile == "" {
		s.Token = rand.Text()
	}
	s.Hosts = []string{hostOf(run.listen), hostOf(f.bootstrapListen), hostOf(f.advertised(run, run.listen, true)), ownAddress()}
	s.CA, s.CAKey, err = node.NewCA()
	return err
}

// advertised is the address that pods are told for a server of the run that is bound to addr. The port of --advertise, if it has
// one, is the coordinator's.
func (f *kubernetesFlags) advertised(run *runFlags, addr string, coordinator bool) string {
	advertise := run.attach.advertise
	if advertise == "" {
		return run.attach.reach(addr)
	}
	_, port, _ := net.SplitHostPort(addr)
	host, _, err := net.SplitHostPort(advertise)
	switch {
	case err != nil:
		return net.JoinHostPort(advertise, port)
	case coordinator:
		return advertise
	}
	return net.JoinHostPort(host, port)
}

// kubernetesGround is where the coordinator's own servers are when peers are pods.
func kubernetesGround(f *runFlags, here *ground) *ground {
	here.bootstrap.listen = cmp.Or(f.kubernetes.bootstrapListen, net.JoinHostPort(hostOf(f.listen), "0"))
	return here
}

// nearby is where this machine reaches a server of its own that is bound to addr.
func nearby(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}
