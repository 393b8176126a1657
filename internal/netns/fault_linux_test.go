package netns

import (
	"context"
	"errors"
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
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + i)}) }
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

// set puts a rule in force.
func set(t *testing.T, l *Lab, rule string) {
	t.Helper()
	r, err := network.ParseRule(rule)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Set(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func heal(t *testing.T, l *Lab) {
	t.Helper()
	if err := l.Heal(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestPartitionHealAndExpiry(t *testing.T) {
	t.Parallel()
	l := startLab(t, "alice", "bob", "carol")
	bob, carol := startEcho(t, l, "bob", GossipPort), startEcho(t, l, "carol", GossipPort)
	check := func(when string, wantBob, wantCarol int) {
		t.Helper()
		if b, c := comesBack(t, l, "alice", bob), comesBack(t, l, "alice", carol); b != wantBob || c != wantCarol {
			t.Errorf("%s: %d came back from bob, %d from carol; want %d and %d", when, b, c, wantBob, wantCarol)
		}
	}
	check("before", 40, 40)
	set(t, l, "partition bob -> alice")
	check("one way", 0, 40)
	heal(t, l)
	check("healed", 40, 40)
	set(t, l, "partition alice | bob on streams,rpc")
	check("streams and rpc only", 40, 40)
	set(t, l, "partition * | alice for 1s")
	check("from all", 0, 0)
	l.expiring.Wait()
	check("after its time", 40, 40)
	set(t, l, "partition alice | bob | carol")
	check("all from all", 0, 0)
	if err := l.Heal(t.Context(), []string{"bob"}, []string{"alice"}); err != nil {
		t.Fatal(err)
	}
	check("partly healed", 40, 0)
	heal(t, l)
	set(t, l, "partition alice | bob as cut")
	set(t, l, "partition alice | carol for 1h as cut")
	check("replaced", 40, 0)
	set(t, l, "partition except alice carol as cut")
	check("replaced again", 0, 40)
}

// TestPartitionIsSilent checks that a connection through a cut hangs, and goes on when that is healed.
func TestPartitionIsSilent(t *testing.T) {
	t.Parallel()
	l := startLab(t, "alice", "bob")
	bob := startEcho(t, l, "bob", RPCPort)
	conn, err := l.Network("alice").Dial(t.Context(), network.RPC, bob)
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
	set(t, l, "partition alice | bob")
	_ = conn.SetDeadline(time.Now().Add(500 * time.Millisecond))
	var timeout net.Error
	if err := say(); !asTimeout(err, &timeout) {
		t.Fatalf("through a cut: %v, want a timeout", err)
	}
	heal(t, l)
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
	set(t, l, "bandwidth 250KB/s alice -> bob")
	conn, err := l.Network("alice").Dial(t.Context(), network.RPC, bob)
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
	cut := network.Rule{Kind: network.Partition, Groups: [][]string{{"alice"}, {"bob"}}}
	if err := l.Set(ctx, cut); err == nil {
		t.Error("a fault that was cancelled is no error")
	}
	if got := comesBack(t, l, "alice", bob); got != 40 {
		t.Errorf("%d of 40 came back", got)
	}
	if err := l.Set(t.Context(), cut); err != nil {
		t.Error(err)
	}
	if got := comesBack(t, l, "alice", bob); got != 0 {
		t.Errorf("%d of 40 came back", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Set(t.Context(), cut); err == nil {
		t.Error("a fault in a lab that is closed is no error")
	}
}

func TestFlowsOfSeveralFaults(t *testing.T) {
	t.Parallel()
	l, err := New(Config{Peers: []string{"alice", "bob"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"latency 1s alice -> bob", "loss 50% alice | bob on packets", "latency 2s±1s alice -> bob on rpc",
		"loss 50% bob -> alice on packets", "bandwidth 2KB/s bob -> bootstrap", "bandwidth 1KB/s * -> bootstrap except alice bootstrap",
		"partition bootstrap -> bob", "duplicate 25% bootstrap -> bob", "duplicate 25% alice | bob on packets",
	} {
		r, err := network.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		links, err := l.links(r)
		if err != nil {
			t.Fatal(err)
		}
		l.active = append(l.active, faultOf(r, links))
	}
	slow := flow{latency: time.Second}
	want := []map[place]flow{ // of the bootstrap service, alice and bob
		{{2, everything}: {drop: true}},
		{{2, packets}: {latency: time.Second, loss: 0.5}, {2, streams}: slow, {2, rpc}: {latency: 3 * time.Second, jitter: time.Second}},
		{{1, packets}: {loss: 0.75}, {0, everything}: {bandwidth: 1000}},
	}
	got, copied, err := l.flows()
	if err != nil {
		t.Fatal(err)
	}
	wantCopied := []copies{{}, {0.25, []place{{2, packets}}}, {0.25, []place{{0, everything}, {1, packets}}}}
	if diff := cmp.Diff(wantCopied, copied, cmp.AllowUnexported(copies{}, place{})); diff != "" {
		t.Error(diff)
	}
	more := faultOf(network.Rule{Kind: network.Duplicate, Percent: 10}, map[[2]int]bool{{1, 2}: true})
	l.active = append(l.active, more)
	if _, _, err := l.flows(); err == nil || !strings.Contains(err.Error(), "what comes to bob") {
		t.Errorf("two shares at one port: %v", err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(flow{}, place{})); diff != "" {
		t.Error(diff)
	}
}

func TestBadRules(t *testing.T) {
	t.Parallel()
	l, err := New(Config{Peers: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	l.abilities.Netem = errors.New("no netem here")
	between := func(names ...string) [][]string {
		var groups [][]string
		for _, name := range names {
			groups = append(groups, []string{name})
		}
		return groups
	}
	for want, r := range map[string]network.Rule{
		"above 0% and at most 100%":             {Kind: network.Loss, Percent: 101},
		"loss: no netem here":                   {Kind: network.Loss, Percent: 1},
		"latency: no netem here":                {Kind: network.Latency, Delay: 1},
		"no kind of fault":                      {Kind: "fire"},
		"no peer \"x\"\nthere is no peer \"y\"": {Kind: network.Partition, Groups: between("x", "a", "y")},
		"no peer \"a\" or \"z\"":                {Kind: network.Partition, Except: [][2]string{{"a", "z"}}},
		"does not run":                          {Kind: network.Partition, Groups: between("a", "b")},
	} {
		if err := l.Set(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
	if err := l.Heal(t.Context(), []string{"a"}, []string{"x"}); err == nil {
		t.Error("healed a link of a peer that is not there")
	}
}
