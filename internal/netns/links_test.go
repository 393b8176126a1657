package netns

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/network"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	want := []Link{{"a", "b"}, {"a", "c"}, {"b", "a"}, {"b", "c"}, {"c", "a"}, {"c", "b"}}
	if diff := cmp.Diff(want, Sides([]string{"a"}, []string{"b"}, []string{"c"})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Link{{"a", "b"}, {"b", "a"}}, OneWay([]string{"a", "b"}, []string{"a", "b"})); diff != "" {
		t.Error(diff)
	}
}

func TestBadFaults(t *testing.T) {
	t.Parallel()
	l, err := New(Config{Peers: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	l.abilities.Netem = errors.New("no netem here")
	ab := []Link{{"a", "b"}}
	for want, f := range map[string]Fault{
		"loss 1.5: a probability":      {Links: ab, Loss: 1.5},
		"reorder -0.1: a probability":  {Links: ab, Reorder: -0.1},
		"duplicate NaN: a probability": {Links: ab, Duplicate: math.NaN()},
		"latency -1s":                  {Links: ab, Latency: -time.Second},
		"latency 2h0m0s":               {Links: ab, Latency: 2 * time.Hour},
		"bandwidth +Inf":               {Links: ab, Bandwidth: math.Inf(1)},
		"no channel \"mail\"":          {Links: ab, On: []network.Channel{"mail"}},
		"no netem here":                {Links: ab, Loss: 0.1},
		"no peer \"x\"\nb has no link": {Links: []Link{{"x", "b"}, {"b", "b"}}},
		"no peer \"y\"":                {Links: []Link{{"a", "y"}}, Bandwidth: 1e6},
		"the lab does not run":         {Links: ab, Drop: true},
	} {
		if err := l.Set(t.Context(), f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", f, err, want)
		}
	}
	if err := l.Heal(t.Context(), Link{"a", "x"}); err == nil {
		t.Error("healed a link of a peer that is not there")
	}
}

// TestHealSome cuts all of three off from each other, and heals the links between two.
func TestHealSome(t *testing.T) {
	t.Parallel()
	l := startLab(t, "alice", "bob", "carol")
	bob, carol := startEcho(t, l, "bob", GossipPort), startEcho(t, l, "carol", GossipPort)
	ctx := t.Context()
	if err := l.Set(ctx, Fault{Links: Sides([]string{"alice"}, []string{"bob"}, []string{"carol"}), Drop: true}); err != nil {
		t.Fatal(err)
	}
	check := func(when string, wantBob, wantCarol int) {
		t.Helper()
		if b, c := comesBack(t, l, "alice", bob), comesBack(t, l, "alice", carol); b != wantBob || c != wantCarol {
			t.Errorf("%s: %d came back from bob, %d from carol; want %d and %d", when, b, c, wantBob, wantCarol)
		}
	}
	check("cut", 0, 0)
	if err := l.Heal(ctx, Sides([]string{"alice"}, []string{"bob"})...); err != nil {
		t.Fatal(err)
	}
	check("partly healed", 40, 0)
	if err := l.Set(ctx, Fault{Links: []Link{{"alice", "bob"}}, Drop: true, On: []network.Channel{network.Packets}}); err != nil {
		t.Fatal(err)
	}
	check("packets cut", 0, 0)
	if err := l.Heal(ctx); err != nil {
		t.Fatal(err)
	}
	check("healed", 40, 40)
}
