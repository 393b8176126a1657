package main

import (
	"context"
	"fmt"
	"math/rand/v2"
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

// BenchmarkStart is the time from nothing until each of 50 processes on loopback knows all 50, in ways that take turns in
// each round: peers of "coordinator run", which starts a bootstrap service and the peers and has them join; peers started all at
// once by hand, beside a bootstrap service; and as many serf agents (built from tools/serf), one that the other 49 join, all at once as soon
// as it answers. All have memberlist's own timings of the profile. In seconds, the median, the mean and the longest are reported. For the
// coordinator there is a second time, "line": until the line of the suite that expects all members has passed, which comes after "all init",
// and so after each peer's chat has a link to each other's. Agents have no application; "members" is the time of the coordinator's peers
// when they start none.
func BenchmarkStart(b *testing.B) {
	path := buildBinary(b)
	serf, serfwait := buildSerf(b)
	for _, profile := range []string{"lan", "local"} {
		b.Run("profile="+profile, func(b *testing.B) {
			took := map[string][]time.Duration{}
			add := func(what string, d time.Duration) { took[what] = append(took[what], d.Round(time.Millisecond)) }
			ways := []func(){
				func() {
					all, line := startByCoordinator(b, path, profile, "all init\n")
					add("coordinator", all)
					add("line", line)
				},
				func() {
					all, _ := startByCoordinator(b, path, profile, "all member create\nall bootstrap join\nall member start\nall member join\n")
					add("members", all)
				},
				func() { add("peers", startByHand(b, path, profile)) },
				func() { add("serf", startSerf(b, serf, serfwait, profile)) },
			}
			for round := 0; b.Loop(); round++ {
				for i := range ways {
					ways[(round+i)%len(ways)]() // each is first in turn
				}
			}
			b.ReportMetric(0, "ns/op") // a sum of three has no meaning
			for what, d := range took {
				reportStarts(b, what, d)
			}
		})
	}
}

// reportStarts reports how long the rounds took of one way.
func reportStarts(b *testing.B, what string, took []time.Duration) {
	b.Logf("%s: %v", what, took)
	slices.Sort(took)
	var sum time.Duration
	for _, d := range took {
		sum += d
	}
	b.ReportMetric(took[len(took)/2].Seconds(), what+"-s")
	b.ReportMetric(sum.Seconds()/float64(len(took)), what+"-mean-s")
	b.ReportMetric(took[len(took)-1].Seconds(), what+"-max-s")
}

// startByCoordinator returns the time until all peers knew all by their own events, and until the line passed that waits for it, in a suite in
// which they join so.
func startByCoordinator(b *testing.B, path, profile, join string) (all, line time.Duration) {
	const last = "expect all within 2m members alive >= "
	begin := time.Now()
	run := runForReport(b, path, fmt.Sprintf("profile %s\npeers p[1..%d]\n%s%s%d\n", profile, startPeers, join, last, startPeers))
	known := map[string]int{}
	for _, e := range run.Events { // a peer tells of itself too
		if e.GetJoined() != nil {
			if known[e.GetNode()]++; known[e.GetNode()] == startPeers {
				all = max(all, e.At)
			}
		}
	}
	for _, s := range run.Steps {
		if strings.HasPrefix(s.Text, last) {
			line = s.Start + s.Duration
		}
	}
	if len(known) != startPeers || line == 0 || all == 0 {
		b.Fatalf("%d peers and %d steps in the report", len(known), len(run.Steps))
	}
	started := run.Start.Sub(begin)
	return started + all, started + line
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
			b.Fatalf("%s: %v\n%s", addr, err, ps.tail())
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
			b.Fatalf("%v\n%s%s", err, out, ps.tail())
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

// freePorts are addresses of this machine that nobody listens at, below the ports that systems give to those who ask for any: the
// connections of a peer must not take another's. Another program could take one meanwhile.
func freePorts(b *testing.B, n int) []string {
	b.Helper()
	const lowest, end = 10_000, 32_000
	var out []string
	for port := lowest + rand.IntN((end-lowest)/2); len(out) < n; port++ {
		if port == end {
			b.Fatal("not enough free ports")
		}
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		_ = l.Close() // nobody has connected
		out = append(out, addr)
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

// tail is the end of what they have written.
func (ps *processes) tail() string {
	const most = 4000
	all := ps.output.String()
	return all[max(0, len(all)-most):]
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
