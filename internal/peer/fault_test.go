package peer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	faultv1 "peerlab.example/peerlab/proto/peerlab/fault/v1"
)

// do runs a line of the console at each peer.
func do(line string, peers ...*testPeer) {
	for _, p := range peers {
		p.lab.t.Helper()
		p.mustDo(line)
	}
}

// faulty gives a peer faults that its calls to the bootstrap service pass too.
func faulty(l *testLab) func(*Config, *Deps) {
	return func(_ *Config, d *Deps) {
		d.Faults = network.NewFaults(d.Network, 7)
		conn, err := node.Dial(d.Faults, nil, serviceAddr)
		if err != nil {
			l.t.Fatal(err)
		}
		d.Bootstrap = bootstrap.NewClient(conn, bootstrap.ClientOptions{Timeout: time.Second})
		l.t.Cleanup(func() {
			_ = conn.Close()
			_ = d.Faults.Close()
		})
	}
}

func TestPartitionSplitsTheViewsAndHeals(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob, carol := l.joined("alice"), l.joined("bob"), l.joined("carol")
		all := []*testPeer{alice, bob, carol}
		for _, p := range all {
			p.sees("alice", "bob", "carol")
		}
		do("fault partition alice bob | carol", all...)
		alice.sees("alice", "bob")
		bob.sees("alice", "bob")
		carol.sees("carol")
		// It stays so, though each side looks for the other all the time.
		for range 300 {
			<-time.After(time.Second)
			for _, p := range all {
				if want := map[string]int{"alice": 2, "bob": 2, "carol": 1}[p.Name()]; p.Alive() != want {
					t.Fatalf("%s sees %d alive during the split", p.Name(), p.Alive())
				}
			}
		}
		do("fault heal", all...)
		for _, p := range all {
			p.sees("alice", "bob", "carol")
		}
		wantFaults(t, alice, "partition alice bob | carol true", "partition alice bob | carol false")
	})
}

// wantFaults checks the events of faults in a peer's log.
func wantFaults(t *testing.T, p *testPeer, want ...string) {
	t.Helper()
	var got []string
	r := p.deps.Events.Read(0)
	for e, _ := r.Try(); e != nil; e, _ = r.Try() {
		if f := e.GetFault(); f != nil {
			got = append(got, fmt.Sprintf("%s %v", f.GetRule(), f.GetActive()))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAFaultAtOneSideIsEnoughForAPartition(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob := l.joined("alice"), l.joined("bob")
		alice.sees("alice", "bob")
		bob.sees("alice", "bob")
		do("fault partition alice | bob on packets,streams for 20s", alice)
		alice.sees("alice")
		// Bob's connections are in his own hands, so that alice may seem to be there for him until she is asked.
		alice.sees("alice", "bob")
		bob.sees("alice", "bob")
	})
}

func TestOneWayPartition(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob := l.joined("alice"), l.joined("bob")
		alice.sees("alice", "bob")
		bob.sees("alice", "bob")
		do("fault partition alice -> bob", alice, bob)
		// Neither gets an answer: alice's questions do not arrive, nor do her answers.
		alice.sees("alice")
		bob.sees("bob")
		do("fault heal alice bob", alice, bob)
		alice.sees("alice", "bob")
		bob.sees("alice", "bob")
	})
}

func TestOneWayPartitionIsBridgedByAThird(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob, carol := l.joined("alice"), l.joined("bob"), l.joined("carol")
		all := []*testPeer{alice, bob, carol}
		for _, p := range all {
			p.sees("alice", "bob", "carol")
		}
		do("fault partition alice -> bob", all...)
		<-time.After(time.Minute)
		for _, p := range all {
			p.sees("alice", "bob", "carol")
			r := p.deps.Events.Read(0)
			for e, _ := r.Try(); e != nil; e, _ = r.Try() {
				if e.GetLost() != nil {
					t.Errorf("%s lost %s, though indirect probes reach all", p.Name(), e.GetLost().GetPeer())
				}
			}
		}
	})
}

func TestLatencyShowsInTheRoundTripTime(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob := l.joined("alice"), l.joined("bob")
		alice.sees("alice", "bob")
		rtt := func() time.Duration {
			for _, m := range alice.Members() {
				if m.Name == "bob" {
					return m.RTT
				}
			}
			return 0
		}
		do("fault latency 20ms alice -> bob", alice, bob)
		do("fault latency 15ms bob -> alice on packets", alice, bob)
		eventually(t, func() error {
			if got := rtt(); got != 35*time.Millisecond {
				return fmt.Errorf("round trip takes %s", got)
			}
			return nil
		})
	})
}

func TestPartitionFromTheBootstrapService(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice", faulty(l))
		bob := l.peer("bob", faulty(l))
		do("fault partition * | bootstrap for 30s", alice, bob)
		start := time.Now()
		bob.mustInit()
		if took := time.Since(start); took < 30*time.Second || took > 40*time.Second {
			t.Errorf("init took %s", took)
		}
		bob.sees("alice", "bob")
	})
}

// Each of two is the first of the group, as far as the service knows. They look for each other nevertheless.
func TestTwoFirstOnesFindEachOther(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice")
		if _, err := l.service.Reset(l.t.Context(), &bootstrapv1.ResetRequest{}); err != nil {
			l.t.Fatal(err)
		}
		bob := l.joined("bob")
		bob.sees("alice", "bob")
		alice.sees("alice", "bob")
	})
}

// The roster of two names one side of a split only; who restarts on the other side finds those that it remembers.
func TestWhoRestartsInASplitFindsItsSideAgain(t *testing.T) {
	inLab(t, func(l *testLab) {
		memory := &testMemory{}
		alice, bob, carol := l.joined("alice", faulty(l)), l.joined("bob", faulty(l)), l.joined("carol", faulty(l))
		dave := l.joined("dave", func(_ *Config, d *Deps) { d.Memory = memory })
		dave.sees("alice", "bob", "carol", "dave")
		dave.crash()
		again := l.peer("dave", faulty(l), func(_ *Config, d *Deps) { d.Memory = memory })
		do("fault partition alice bob | carol dave", alice, bob, carol, again)
		again.mustInit()
		again.sees("carol", "dave")
		carol.sees("carol", "dave")
		do("fault heal", alice, bob, carol, again)
		again.sees("alice", "bob", "carol", "dave")
	})
}

func TestPartitionFollowsAPeerToAnotherAddress(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice, bob := l.joined("alice"), l.joined("bob")
		alice.sees("alice", "bob")
		do("fault partition alice | bob", alice)
		alice.sees("alice")
		was := bob.host
		bob.crash()
		bob = l.peer("bob")
		if bob.host == was {
			t.Fatal("it is at the same address")
		}
		bob.mustInit()
		<-time.After(20 * time.Second)
		alice.sees("alice")
		do("fault heal", alice)
		alice.sees("alice", "bob")
		bob.sees("alice", "bob")

		// Who takes a free address over has his own name there.
		do("fault partition alice | bob", alice)
		l.hosts--
		bob.crash()
		carol := l.joined("carol")
		if carol.host != bob.host {
			t.Fatalf("carol is at %s, bob was at %s", carol.host, bob.host)
		}
		alice.sees("alice", "carol")
	})
}

func TestFaultService(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice")
		l.joined("bob")
		alice.sees("alice", "bob")
		// Who is connected to alice stays so, whatever her faults are.
		conn, err := node.Dial(l.network.Host("10.0.0.200"), nil, alice.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		c := faultv1.NewFaultServiceClient(conn)
		ctx := l.t.Context()
		set, err := c.SetFault(ctx, &faultv1.SetFaultRequest{Fault: &faultv1.SetFaultRequest_Text{Text: "partition"}})
		if err != nil || set.GetText() != "partition as 1" {
			t.Fatalf("%v, %v", set, err)
		}
		rule := &faultv1.Rule{
			Id: "mine", Kind: faultv1.Kind_KIND_LATENCY, DelayNs: 2e6, JitterNs: 1e6, OneWay: true,
			Groups: []*faultv1.Group{{Names: []string{"alice"}}, {Names: []string{"bob"}}},
			Except: []*faultv1.Link{{A: "x", B: "y"}}, Channels: []faultv1.Channel{faultv1.Channel_CHANNEL_RPC}, ForNs: 60e9,
		}
		if set, err = c.SetFault(ctx, &faultv1.SetFaultRequest{Fault: &faultv1.SetFaultRequest_Rule{Rule: rule}}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rule, set.GetRule(), protocmp.Transform()); diff != "" {
			t.Errorf("rule (-want +got):\n%s", diff)
		}
		alice.sees("alice")
		list, err := c.ListFaults(ctx, &faultv1.ListFaultsRequest{})
		if err != nil || len(list.GetFaults()) != 2 || list.GetFaults()[0].GetHits()[0].GetHits() == 0 || list.GetFaults()[1].GetLeftNs() == 0 {
			t.Errorf("%v, %v", list, err)
		}
		for want, req := range map[codes.Code]*faultv1.SetFaultRequest{
			codes.InvalidArgument: {Fault: &faultv1.SetFaultRequest_Rule{Rule: &faultv1.Rule{}}},
		} {
			if _, err := c.SetFault(ctx, req); status.Code(err) != want {
				t.Errorf("%v: %v", req, err)
			}
		}
		if _, err := c.SetFault(ctx, &faultv1.SetFaultRequest{}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("nothing: %v", err)
		}
		if _, err := c.HealFaults(ctx, &faultv1.HealFaultsRequest{Which: &faultv1.HealFaultsRequest_Id{Id: "x"}}); status.Code(err) != codes.NotFound {
			t.Errorf("unknown id: %v", err)
		}
		link := &faultv1.HealFaultsRequest_Link{Link: &faultv1.Link{A: "alice", B: "bob"}}
		if r, err := c.HealFaults(ctx, &faultv1.HealFaultsRequest{Which: link}); err != nil || r.GetChanged() != 2 {
			t.Errorf("%v, %v", r, err)
		}
		if r, err := c.HealFaults(ctx, &faultv1.HealFaultsRequest{}); err != nil || r.GetChanged() != 1 {
			t.Errorf("%v, %v", r, err)
		}
		alice.sees("alice", "bob")
	})
}

func TestFaultCommands(t *testing.T) {
	inLab(t, func(l *testLab) {
		p := l.peer("alice")
		for line, want := range map[string]string{
			"fault partition alice":     "from whom is alice to be cut",
			"fault loss 10":             "not a share",
			"fault latency":             "AMOUNT is missing",
			"fault heal a b c":          "such as: fault heal alice bob",
			"fault heal nobody":         "no such fault",
			"fault heal alice alice":    "not the names of two",
			"fault bandwidth 1MB/s x y": "from whom",
		} {
			if _, err := p.do(line); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", line, err, want)
			}
		}
		do("fault latency 100ms+-20ms alice -> bob on packets for 10s as slow", p)
		do("fault bandwidth 8Mbit/s alice | bob carol", p)
		if got, _ := p.do("fault list"); !strings.Contains(got, "latency 100ms±20ms alice -> bob on packets for 10s") ||
			!strings.Contains(got, "bandwidth 1MB/s alice <-> bob carol") {
			t.Errorf("list: %s", got)
		}
		do("fault heal slow", p)
		do("fault heal alice | bob", p)
		wantFaults(t, p,
			"latency 100ms±20ms alice -> bob on packets for 10s as slow true", "bandwidth 1MB/s alice <-> bob carol true",
			"latency 100ms±20ms alice -> bob on packets for 10s as slow false",
			"bandwidth 1MB/s alice <-> bob carol false", "bandwidth 1MB/s alice <-> bob carol except alice bob true")
	})
}

func TestFaultCompletion(t *testing.T) {
	inLab(t, func(l *testLab) {
		p := l.joined("alice")
		do("fault loss 5% as lossy", p)
		table, err := command.New(p.Commands()...)
		if err != nil {
			t.Fatal(err)
		}
		for line, want := range map[string]string{
			"fault par":                        "partition",
			"fault partition al":               "alice",
			"fault partition alice | boo":      "bootstrap",
			"fault latency 1ms alice -> b":     "bootstrap",
			"fault latency ":                   "100ms±20ms",
			"fault loss 5% alice | bob on pac": "packets",
			"fault heal lo":                    "lossy",
		} {
			offers, _ := table.Complete(line, len(line), command.Live{Members: p.Members})
			if len(offers) != 1 || offers[0].Text != want {
				t.Errorf("%q: %v, want %s", line, offers, want)
			}
		}
	})
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	p := newPlaces("10.0.0.1:7700,https://boot.example/x,http://[::1]:80")
	p.sawRoster(&bootstrapv1.Roster{Peers: []*bootstrapv1.Peer{{Name: "bob", Host: "10.0.0.2", Port: 1}, {Name: "old", Host: "10.0.0.3", Port: 1}}})
	p.saw(app.Member{Name: "carol", Addr: "10.0.0.3:1", RPCAddr: "10.0.0.3:2", State: app.Alive})
	p.sawRoster(&bootstrapv1.Roster{Peers: []*bootstrapv1.Peer{{Name: "old", Host: "10.0.0.3", Port: 1}}})
	p.saw(app.Member{Name: "gone", Addr: "10.0.0.3:1", State: app.Lost})
	p.saw(app.Member{Name: "gone", Addr: "10.0.0.4:1", State: app.Lost})
	for addr, want := range map[string]string{
		"10.0.0.1:7700": network.Bootstrap, "boot.example:443": network.Bootstrap, "[::1]:80": network.Bootstrap,
		"10.0.0.2:1": "bob", "10.0.0.3:1": "carol", "10.0.0.3:2": "carol", "10.0.0.4:1": "gone", "10.0.0.9:9": "",
	} {
		if got := p.name(addr); got != want {
			t.Errorf("at %s is %q, want %q", addr, got, want)
		}
	}
	for i := range maxPlaces {
		p.saw(app.Member{Name: "x", Addr: fmt.Sprintf("10.1.%d.%d:1", i/256, i%256), State: app.Alive})
	}
	p.forget(func() []app.Member { return []app.Member{{Name: "bob", Addr: "10.0.0.2:1", State: app.Alive}} })
	if p.name("10.0.0.2:1") != "bob" || p.name("10.0.0.3:1") != "" {
		t.Error("the members are kept, and nobody else")
	}
}
