package network

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRulesAreToldListedAndHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFaults(NewMemory().Host(alice), 1)
		defer func() { _ = f.Close() }()
		var told []string
		f.Bind("alice", func(string) string { return "" }, func(r Rule, active bool) { told = append(told, fmt.Sprintf("%s %v", r, active)) })
		check := func(what string, want ...string) {
			t.Helper()
			if !slices.Equal(told, want) {
				t.Errorf("%s: told %q, want %q", what, told, want)
			}
			told = nil
		}
		one := set(t, f, "partition alice bob | carol")
		set(t, f, "loss 5% as lossy")
		check("set", "partition alice bob | carol true", "loss 5% as lossy true")
		set(t, f, "loss 6% as lossy")
		check("replaced", "loss 5% as lossy false", "loss 6% as lossy true")
		if n, err := f.HealLink("carol", "bob"); n != 2 || err != nil {
			t.Errorf("%d rules changed, %v", n, err)
		}
		if _, err := f.HealLink("carol", "*"); err == nil {
			t.Error("* is no name of one")
		}
		check("a link", "partition alice bob | carol false", "partition alice bob | carol except carol bob true",
			"loss 6% as lossy false", "loss 6% except carol bob as lossy true")
		_, _ = f.HealLink("alice", "carol")
		check("the other link", "partition alice bob | carol except carol bob false",
			"loss 6% except carol bob as lossy false", "loss 6% except carol bob except alice carol as lossy true")
		if err := f.Heal(one); !errors.Is(err, ErrNoFault) {
			t.Errorf("heal what is healed: %v", err)
		}
		if err := f.Heal("lossy"); err != nil {
			t.Error(err)
		}
		told = nil
		set(t, f, "latency 1ms for 10s")
		_, _ = f.HealLink("x", "y")
		<-time.After(5 * time.Second)
		if got := f.List(); len(got) != 1 || got[0].Left != 5*time.Second {
			t.Errorf("list %+v", got)
		}
		<-time.After(5 * time.Second)
		synctest.Wait()
		check("ended", "latency 1ms for 10s true", "latency 1ms for 10s false", "latency 1ms except x y for 10s true", "latency 1ms except x y for 10s false")
		if f.rules.Load() != nil {
			t.Error("rules are left")
		}
	})
}

func TestRulesAreBounded(t *testing.T) {
	t.Parallel()
	f := NewFaults(NewMemory().Host(alice), 1)
	for range maxRules {
		set(t, f, "partition for 1h")
	}
	if _, err := f.Set(Rule{Kind: Partition}); err == nil {
		t.Error("one more was taken")
	}
	if _, err := f.Set(Rule{Kind: Partition, ID: "1"}); err != nil {
		t.Errorf("a rule could not be replaced: %v", err)
	}
	if _, err := f.Set(Rule{Kind: Loss, ID: "1"}); err == nil {
		t.Error("a rule that makes no sense was taken")
	}
	_ = f.Close()
	if _, err := f.Set(Rule{Kind: Partition}); !errors.Is(err, ErrFaultsClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestRulesChangeWhileAllSend changes rules from several goroutines under traffic.
func TestRulesChangeWhileAllSend(t *testing.T) {
	inFaultLab(t, func(l *faultLab) {
		f := l.at(alice)
		a, b := l.socket(f), l.socket(l.at(bob))
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for range 50 {
					set(t, f, []string{"latency 2ms±1ms", "loss 5% alice | bob", "reorder 10% for 3ms", "bandwidth 1MB/s"}[i])
					<-time.After(time.Millisecond)
					f.List()
					_, _ = f.HealLink("alice", "bob")
					f.HealAll()
				}
			})
			wg.Go(func() { send(t, a, b.LocalAddr(), 100, 8, 100*time.Microsecond) })
		}
		wg.Wait()
		_ = f.Close()
		send(t, a, b.LocalAddr(), 1, 8, 0)
		if got := receive(t, b, time.Now(), time.Second); len(got) == 0 {
			t.Error("nothing came")
		}
	})
}

// BenchmarkPacketWithoutRules compares the network with and without faults around it, and with a rule for others.
func BenchmarkPacketWithoutRules(b *testing.B) {
	sink := sinkNetwork{}
	others := NewFaults(sink, 1)
	others.Bind("alice", func(string) string { return "bob" }, nil)
	set(b, others, "partition carol | dave")
	for _, c := range []struct {
		name string
		n    Network
	}{{"inner", sink}, {"faults", NewFaults(sink, 1)}, {"rule-for-others", others}} {
		b.Run(c.name, func(b *testing.B) {
			pc, err := c.n.ListenPacket(b.Context(), "")
			if err != nil {
				b.Fatal(err)
			}
			msg, to := make([]byte, 1000), net.Addr(address(bob+":1"))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = pc.WriteTo(msg, to)
			}
		})
	}
}
