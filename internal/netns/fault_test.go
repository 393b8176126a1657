package netns

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/network"
)

func TestChange(t *testing.T) {
	t.Parallel()
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + i)}) } //nolint:gosec // small
	cut := flow{drop: true}
	slow := flow{latency: 50 * time.Millisecond, jitter: 5 * time.Millisecond, loss: 0.2}
	thin := flow{bandwidth: 1e6}
	tests := map[string]struct {
		was, want map[place]flow
		lines     string
	}{
		"nothing": {lines: ""},
		"a partition": {want: map[place]flow{{1, everything}: cut}, lines: `
filter add dev eth0 parent 1: protocol ip pref 23 u32 match ip dst 10.0.0.3/32 flowid 1:2`},
		"healed": {was: map[place]flow{{1, everything}: cut}, lines: `
filter delete dev eth0 parent 1: pref 23`},
		"the same": {was: map[place]flow{{1, everything}: slow}, want: map[place]flow{{1, everything}: slow}, lines: ""},
		"slow packets": {want: map[place]flow{{0, packets}: slow}, lines: `
class replace dev eth0 parent 1: classid 1:10 htb rate 100gbit quantum 60000
qdisc replace dev eth0 parent 1:10 handle 2010: netem limit 66000 delay 50000us 5000us loss random 20.000000%
filter add dev eth0 parent 1: protocol ip pref 16 u32 match ip dst 10.0.0.2/32 match ip protocol 17 0xff flowid 1:10`},
		"from slow to thin": {was: map[place]flow{{0, rpc}: slow}, want: map[place]flow{{0, rpc}: thin}, lines: `
class replace dev eth0 parent 1: classid 1:12 htb rate 1000000bps quantum 60000
qdisc replace dev eth0 parent 1:12 handle 4012: pfifo limit 66000`},
		"from slow to cut": {was: map[place]flow{{0, everything}: slow}, want: map[place]flow{{0, everything}: cut}, lines: `
filter delete dev eth0 parent 1: pref 19
filter add dev eth0 parent 1: protocol ip pref 19 u32 match ip dst 10.0.0.2/32 flowid 1:2`},
		"reordered": {want: map[place]flow{{0, everything}: {reorder: 0.05}}, lines: `
class replace dev eth0 parent 1: classid 1:13 htb rate 100gbit quantum 60000
qdisc replace dev eth0 parent 1:13 handle 2013: netem limit 66000 delay 10000us 0us reorder 95.000000%
filter add dev eth0 parent 1: protocol ip pref 19 u32 match ip dst 10.0.0.2/32 flowid 1:13`},
		"streams only": {want: map[place]flow{{0, streams}: cut}, lines: `
filter add dev eth0 parent 1: protocol ip pref 17 u32 match ip dst 10.0.0.2/32 match ip protocol 6 0xff match ip dport 7946 0xffff flowid 1:2
filter add dev eth0 parent 1: protocol ip pref 17 u32 match ip dst 10.0.0.2/32 match ip protocol 6 0xff match ip sport 7946 0xffff flowid 1:2`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(change(tt.was, tt.want, addr), "\n")
			if diff := cmp.Diff(strings.TrimPrefix(tt.lines, "\n"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// between is a fault on links, from and to by index.
func between(f flow, on []lane, links ...[2]int) *fault {
	out := &fault{links: map[[2]int]bool{}, flow: f}
	for _, link := range links {
		out.links[link] = true
	}
	for _, i := range on {
		out.lanes[i] = true
	}
	return out
}

var allLanes = []lane{packets, streams, rpc}

func TestPartitionHealAndExpiry(t *testing.T) {
	t.Parallel()
	l := startLab(t, "alice", "bob", "carol")
	bob, carol := startEcho(t, l, "bob", GossipPort), startEcho(t, l, "carol", GossipPort)
	ctx := t.Context()
	check := func(when string, wantBob, wantCarol int) {
		t.Helper()
		if b, c := comesBack(t, l, "alice", bob), comesBack(t, l, "alice", carol); b != wantBob || c != wantCarol {
			t.Errorf("%s: %d came back from bob, %d from carol; want %d and %d", when, b, c, wantBob, wantCarol)
		}
	}
	check("before", 40, 40)
	if err := l.add(ctx, between(flow{drop: true}, allLanes, [2]int{1, 0}), 0); err != nil { // bob -> alice only
		t.Fatal(err)
	}
	check("one way", 0, 40)
	if err := l.heal(ctx, func(int, int) bool { return true }); err != nil {
		t.Fatal(err)
	}
	check("healed", 40, 40)
	if err := l.add(ctx, between(flow{drop: true}, []lane{rpc}, [2]int{0, 1}), 0); err != nil {
		t.Fatal(err)
	}
	check("rpc only", 40, 40)
	if err := l.add(ctx, between(flow{drop: true}, allLanes, [2]int{0, 1}, [2]int{0, 2}), time.Second); err != nil {
		t.Fatal(err)
	}
	check("both", 0, 0)
	l.expiring.Wait()
	check("after its time", 40, 40)
}

// TestPartitionIsSilent checks that a connection through a cut hangs, and goes on when that is healed.
func TestPartitionIsSilent(t *testing.T) {
	t.Parallel()
	l := startLab(t, "alice", "bob")
	bob := startEcho(t, l, "bob", RPCPort)
	conn, err := hubNetwork{l.Namespace("alice"), network.System()}.Dial(t.Context(), network.RPC, bob)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	b := make([]byte, 1)
	say := func() error {
		if _, err := conn.Write([]byte("x")); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, b)
		return err
	}
	if err := say(); err != nil {
		t.Fatal(err)
	}
	if err := l.add(t.Context(), between(flow{drop: true}, allLanes, [2]int{0, 1}, [2]int{1, 0}), 0); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(500 * time.Millisecond))
	var timeout net.Error
	if err := say(); !asTimeout(err, &timeout) {
		t.Fatalf("through a cut: %v, want a timeout", err)
	}
	if err := l.heal(t.Context(), func(int, int) bool { return true }); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadFull(conn, b); err != nil { // sent again by the kernel
		t.Errorf("after the cut was healed: %v", err)
	}
}

func asTimeout(err error, t *net.Error) bool {
	e, ok := err.(net.Error) //nolint:errorlint // as a connection returns it
	*t = e
	return ok && e.Timeout()
}

func TestBandwidth(t *testing.T) {
	t.Parallel()
	l := startLab(t, "alice", "bob")
	bob := startEcho(t, l, "bob", RPCPort)
	const rate, size = 250_000, 500_000
	if err := l.add(t.Context(), between(flow{bandwidth: rate}, allLanes, [2]int{0, 1}), 0); err != nil {
		t.Fatal(err)
	}
	conn, err := hubNetwork{l.Namespace("alice"), network.System()}.Dial(t.Context(), network.RPC, bob)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	start := time.Now()
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(make([]byte, size))
		sent <- err
	}()
	if _, err := io.ReadFull(conn, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	// Headers are on top, and the first packets pass at once.
	took := time.Since(start)
	t.Logf("%d bytes at %d B/s took %s", size, rate, took)
	if took < 1800*time.Millisecond {
		t.Errorf("%d bytes at %d a second came in %s", size, rate, took)
	}
}

func TestFaultsThatFail(t *testing.T) {
	t.Parallel()
	l := startLab(t, "alice", "bob")
	bob := startEcho(t, l, "bob", GossipPort)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.add(ctx, between(flow{drop: true}, allLanes, [2]int{0, 1}), 0); err == nil {
		t.Error("a fault that was cancelled is no error")
	}
	if got := comesBack(t, l, "alice", bob); got != 40 {
		t.Errorf("%d of 40 came back", got)
	}
	if err := l.add(t.Context(), between(flow{drop: true}, allLanes, [2]int{0, 1}), 0); err != nil {
		t.Error(err)
	}
	if got := comesBack(t, l, "alice", bob); got != 0 {
		t.Errorf("%d of 40 came back", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.add(t.Context(), between(flow{drop: true}, allLanes, [2]int{0, 1}), 0); err == nil {
		t.Error("a fault in a lab that is closed is no error")
	}
}

func TestFlowsOfSeveralFaults(t *testing.T) {
	t.Parallel()
	l, err := New(Config{Peers: []string{"alice", "bob"}})
	if err != nil {
		t.Fatal(err)
	}
	slow := flow{latency: time.Second}
	l.active = []*fault{
		between(slow, allLanes, [2]int{0, 1}),
		between(flow{loss: 0.5}, []lane{packets}, [2]int{0, 1}, [2]int{1, 0}),
		between(flow{latency: time.Minute}, []lane{rpc}, [2]int{0, 1}),
	}
	want := []map[place]flow{
		{{1, packets}: {latency: time.Second, loss: 0.5}, {1, streams}: slow, {1, rpc}: {latency: time.Minute}},
		{{0, packets}: {loss: 0.5}},
	}
	if diff := cmp.Diff(want, l.flows(), cmp.AllowUnexported(flow{}, place{})); diff != "" {
		t.Error(diff)
	}
}
