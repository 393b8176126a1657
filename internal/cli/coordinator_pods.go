package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/kubernetes"
	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/testcoord"
)

const (
	// podAttachWithin is how long a peer waits for the network of its pod to be there.
	podAttachWithin = "1m"
	// podLogsWithin is how long it may take until all pods have ended, and their logs are here.
	podLogsWithin = 30 * time.Second
	// podCloseWithin is how long it may take to delete the job.
	podCloseWithin = 15 * time.Second
	// podTailWithin is how long it may take to ask for the last podTail lines of a log.
	podTailWithin, podTail = 5 * time.Second, 12
	// podLaunchWithin is how long the cluster may take to answer that it has made the job.
	podLaunchWithin = 30 * time.Second
	// podVerdictWithin is how long it may take after a run that failed until the cluster tells how each pod has ended: a kubelet looks every
	// second or so.
	podVerdictWithin = 10 * time.Second
	// podsShown is of how many pods that ended badly the last lines are shown.
	podsShown = 5
)

// pods are the peers of one run in a cluster.
type pods struct {
	flags    *runFlags
	suite    *testcoord.Suite
	security *node.Security
	out      io.Writer
	group    string          // of the peers
	job      *kubernetes.Job // nil before it is made
	lost     chan string     // has room for all
}

func newPods(f *runFlags, suite *testcoord.Suite, security *node.Security, out io.Writer) *pods {
	return &pods{flags: f, suite: suite, security: security, out: out, group: groupOfRun(), lost: make(chan string, len(suite.Peers))}
}

// options are what the coordinator is told of pods.
func (p *pods) options(opt *testcoord.Options) {
	opt.StartTimeout, opt.Lost, opt.Whereabouts = p.flags.attach.timeout, p.lost, p.whereabouts
	opt.Group = p.group
}

// whereabouts is what is known of a pod whose peer has not attached, with the last that it wrote if it has written.
func (p *pods) whereabouts(name string) []string {
	if p.job == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), podTailWithin)
	defer stop()
	return append([]string{p.job.Whereabouts(name)}, p.job.Tail(ctx, name, podTail)...)
}

// around runs the suite with pods that attach to the coordinator's server, which is bound to addr.
func (p *pods) around(c *testcoord.Coordinator, bootstrap, addr string) func(context.Context) (*testcoord.Result, error) {
	return func(ctx context.Context) (*testcoord.Result, error) {
		if err := p.launch(ctx, bootstrap, p.flags.kubernetes.advertised(p.flags, addr, true)); err != nil {
			return nil, err
		}
		after := context.WithoutCancel(ctx) // what was made is deleted also when the run was interrupted
		watched, stop := context.WithCancel(after)
		var following sync.WaitGroup
		var done atomic.Bool
		note := func(line string) {
			if !done.Load() { // afterwards pods end because they are to
				c.Note(line)
			}
		}
		following.Go(func() { p.job.Follow(watched, note, func(name string) { p.lost <- name }) })
		result, err := c.Run(ctx)
		done.Store(true)
		if err == nil && !result.OK() { // else it was told who has not attached, and why
			p.tellEnds(after)
		}
		err = errors.Join(err, p.logs(after))
		stop()
		following.Wait()
		bounded, cancel := context.WithTimeout(after, podCloseWithin)
		defer cancel()
		return result, errors.Join(err, p.job.Close(bounded))
	}
}

// launch makes the job.
func (p *pods) launch(ctx context.Context, bootstrap, coordinator string) error {
	spec, err := p.spec(bootstrap, coordinator)
	if err != nil {
		return err
	}
	bounded, stop := context.WithTimeoutCause(ctx, podLaunchWithin, fmt.Errorf("the cluster has not answered within %s", podLaunchWithin))
	defer stop()
	if p.job, err = p.flags.kubernetes.launcher.Launch(bounded, spec); err != nil {
		code := exitUnreachable
		if kubernetes.Refused(err) {
			code = exitUsage
		}
		return exit{code, err}
	}
	_, _ = fmt.Fprintf(p.out, "job %s in namespace %s: %d pods attach to %s\n", p.job.Name(), p.job.Namespace(), len(p.suite.Peers), coordinator)
	return nil
}

// tellEnds shows how pods have ended that ended badly in a run that has failed, with the last that each wrote. Of most of them the
// coordinator only knows that the connection broke.
func (p *pods) tellEnds(ctx context.Context) {
	bounded, stop := context.WithTimeout(ctx, podVerdictWithin)
	defer stop()
	fallen := p.job.Fallen(bounded)
	for _, name := range fallen[:min(len(fallen), podsShown)] {
		for _, line := range p.whereabouts(name) {
			_, _ = fmt.Fprintf(p.out, "  %s | %s\n", name, command.Clean(line))
		}
	}
	if n := len(fallen) - podsShown; n > 0 {
		_, _ = fmt.Fprintf(p.out, "  and %d pods more have ended badly\n", n)
	}
}

// logs fetches the logs, where the user wants them.
func (p *pods) logs(ctx context.Context) error {
	if p.flags.logs == "" {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, podLogsWithin)
	defer stop()
	return p.job.Logs(ctx, p.flags.logs)
}

// podConfig is the file of a peer's settings. It begins with its version.
type podConfig struct {
	Version int
	Name    string
}

// spec is what the cluster is to run. Each pod finds its name in a file that is numbered as the pod is.
func (p *pods) spec(bootstrap, coordinator string) (kubernetes.Spec, error) {
	files := p.secrets()
	at := func(port int) string { return "[" + kubernetes.PodIP + "]:" + strconv.Itoa(port) } // an IPv6 address can stand there, too
	spec := kubernetes.Spec{
		Name: p.flags.kubernetes.job, Title: p.suite.Name, Peers: p.suite.Peers, Files: files,
		Args: slices.Concat(
			[]string{"peer", "--config", kubernetes.Folder + "/" + kubernetes.Index + ".yaml"},
			[]string{"--listen", at(kubernetes.RPCPort), "--gossip", at(kubernetes.GossipPort)},
			runArgs(p.flags, p.suite, bootstrap, coordinator), secretArgs(files),
			[]string{"--group", p.group, "--coordinator-timeout", podAttachWithin, "--log-level", "info", "--log-format", "console"},
		),
		Deadline: p.deadline(),
	}
	for i, name := range p.suite.Peers {
		text, err := yaml.Marshal(podConfig{Version: 1, Name: name})
		if err != nil {
			return spec, err
		}
		files[strconv.Itoa(i)+".yaml"] = text
	}
	return spec, nil
}

// The files of the secrets that pods share with the coordinator.
const tokenFile, caFile, caKeyFile = "token", "ca.crt", "ca.key"

// secrets are these files.
func (p *pods) secrets() map[string][]byte {
	files := map[string][]byte{}
	for name, secret := range map[string][]byte{
		tokenFile: []byte(p.security.Token()), caFile: p.flags.security.CA, caKeyFile: p.flags.security.CAKey,
	} {
		if len(secret) > 0 {
			files[name] = secret
		}
	}
	return files
}

// secretArgs are the flags by which a pod uses the secrets that there are.
func secretArgs(files map[string][]byte) []string {
	var args []string
	for _, one := range [][2]string{{"--token-file", tokenFile}, {"--tls-ca", caFile}, {"--tls-ca-key", caKeyFile}} {
		if files[one[1]] != nil {
			args = append(args, one[0], kubernetes.Folder+"/"+one[1])
		}
	}
	if files[caFile] == nil {
		args = append(args, "--insecure")
	}
	return args
}

// deadline is when a job ends that nobody has deleted. It must not end a run that goes on: a suite need not have a limit, and a person
// who looks at a lab has none.
func (p *pods) deadline() time.Duration {
	limit := cmp.Or(p.suite.Timeout, p.flags.how.timeout)
	if limit == 0 || p.flags.hands.keep || p.flags.hands.step {
		limit = 24 * time.Hour
	}
	return p.flags.attach.timeout + limit + 15*time.Minute // for cleanup, and for logs
}
