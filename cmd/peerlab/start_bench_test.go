package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

// startPeers is how many peers, or agents, BenchmarkStart starts.
const startPeers = 50

// BenchmarkStart is the time from nothing until each of 50 processes on loopback knows all 50, in three ways that take turns in
// each round: peers of "coordinator run", which starts a bootstrap service and the peers and has them join; peers started all at
// once by hand, beside a bootstrap service; and as many serf agents (built from tools/serf), one that the other 49 join, all at once as soon
// as it answers. Both have memberlist's own timings of the profile. Medians in seconds are reported.
func BenchmarkStart(b *testing.B) {
	path := buildBinary(b)
	serf, serfwait := buildSerf(b)
	for _, profile := range []string{"lan", "local"} {
		b.Run("profile="+profile, func(b *testing.B) {
			ways := []startWay{
				{"coordinator", func() time.Duration { return startByCoordinator(b, path, profile) }, nil},
				{"peers", func() time.Duration { return startByHand(b, path, profile) }, nil},
				{"serf", func() time.Duration { return startSerf(b, serf, serfwait, profile) }, nil},
			}
			for round := 0; b.Loop(); round++ {
				for i := range ways {
					w := &ways[(round+i)%len(ways)] // each is first in turn
					took := w.start()
					w.took = append(w.took, took)
					b.Logf("round %d: %s %.2fs", round+1, w.name, took.Seconds())
				}
			}
			b.ReportMetric(0, "ns/op") // a sum of three has no meaning
			for _, w := range ways {
				slices.Sort(w.took)
				b.ReportMetric(w.took[len(w.took)/2].Seconds(), w.name+"-s")
			}
		})
	}
}

// startWay is one way to start, and how long it took in each round.
type startWay struct {
	name  string
	start func() time.Duration
	took  []time.Duration
}

func startByCoordinator(b *testing.B, path, profile string) time.Duration {
	const last = "expect all within 2m members alive >= "
	begin := time.Now()
	run := runForReport(b, path, fmt.Sprintf("profile %s\npeers p[1..%d]\nall init\n%s%d\n", profile, startPeers, last, startPeers))
	for _, s := range run.Steps {
		if strings.HasPrefix(s.Text, last) {
			return run.Start.Add(s.Start + s.Duration).Sub(begin)
		}
	}
	b.Fatalf("no step %q in the report", last)
	return 0
}

func startByHand(b *testing.B, path, profile string) time.Duration {
	begin := time.Now()
	ps := &processes{b: b}
	defer ps.kill()
	ports := freePorts(b, startPeers+1)
	boot := ports[startPeers]
	ps.start(path, "bootstrap", "--listen", boot, "--store", "memory:")
	for i, addr := range ports[:startPeers] {
		ps.start(path, "peer", "--bootstrap", boot, "--name", fmt.Sprintf("p%02d", i), "--profile", profile, "--listen", addr, "--no-console")
	}
	ctx, cancel := context.WithTimeout(b.Context(), 3*time.Minute)
	defer cancel()
	for _, addr := range ports[:startPeers] {
		conn, err := node.Dial(network.System(), nil, addr)
		if err != nil {
			b.Fatal(err)
		}
		err = waitForView(ctx, conn, startPeers)
		_ = conn.Close()
		if err != nil {
			b.Fatalf("%s: %v\n%s", addr, err, ps.output.String())
		}
	}
	return time.Since(begin)
}

// waitForView waits until a peer, which need not listen yet, knows so many that are alive. It is what tools/serf does at an agent.
func waitForView(ctx context.Context, conn *grpc.ClientConn, n int) error {
	client := membershipv1.NewMembershipServiceClient(conn)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		alive := 0
		r, err := client.ListMembers(ctx, &membershipv1.ListMembersRequest{})
		for _, m := range r.GetMembers() {
			if m.GetState() == membershipv1.State_STATE_ALIVE {
				alive++
			}
		}
		if alive >= n {
			return nil
		}
		conn.ResetConnectBackoff() // it may listen by now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("it knows %d of %d: %w, %w", alive, n, err, ctx.Err())
		}
	}
}

func startSerf(b *testing.B, serf, serfwait, profile string) time.Duration {
	begin := time.Now()
	ps := &processes{b: b}
	defer ps.kill()
	ports := freePorts(b, 2*startPeers)
	bind, rpc := ports[:startPeers], ports[startPeers:]
	agent := func(i int, more ...string) {
		ps.start(serf, append([]string{
			"agent", "-node", fmt.Sprintf("s%02d", i), "-bind", bind[i], "-rpc-addr", rpc[i], "-profile", profile, "-log-level", "warn",
		}, more...)...)
	}
	wait := func(n int, rpc ...string) {
		args := append([]string{"-timeout", "3m", strconv.Itoa(n)}, rpc...)
		if out, err := exec.CommandContext(b.Context(), serfwait, args...).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s%s", err, out, ps.output.String())
		}
	}
	agent(0)
	wait(1, rpc[0]) // an agent whose -join reaches nobody ends
	for i := 1; i < startPeers; i++ {
		agent(i, "-join", bind[0])
	}
	wait(startPeers, rpc...)
	return time.Since(begin)
}

// buildSerf builds serf, and the program that asks its agents, from the module that pins them.
func buildSerf(b *testing.B) (serf, serfwait string) {
	b.Helper()
	dir := b.TempDir()
	build := func(name, what string) string {
		path := filepath.Join(dir, name)
		cmd := exec.Command("go", "build", "-trimpath", "-o", path, what)
		cmd.Dir = filepath.Join(repository(), "tools", "serf")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v\n%s", what, err, out)
		}
		return path
	}
	return build("serf", "github.com/hashicorp/serf/cmd/serf"), build("serfwait", ".")
}

// freePorts are addresses of this machine that nobody listens at. Another program could take one meanwhile.
func freePorts(b *testing.B, n int) []string {
	b.Helper()
	var out []string
	var held []net.Listener // until there are all of them, so that no two are the same
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		held = append(held, l)
		out = append(out, l.Addr().String())
	}
	return out
}

// processes are those of one round.
type processes struct {
	b      *testing.B
	cmds   []*exec.Cmd
	output lockedBuffer // of all of them
}

func (ps *processes) start(path string, args ...string) {
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+ps.b.TempDir())
	cmd.Stdout, cmd.Stderr = &ps.output, &ps.output
	if err := cmd.Start(); err != nil {
		ps.kill()
		ps.b.Fatal(err)
	}
	ps.cmds = append(ps.cmds, cmd)
}

// kill ends them all, and waits for that: the next round must not share the machine with them.
func (ps *processes) kill() {
	for _, cmd := range ps.cmds {
		_ = cmd.Process.Kill()
	}
	for _, cmd := range ps.cmds {
		_ = cmd.Wait()
	}
}
