package testcoord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/network"
)

// TestFaults has rules told to all peers that run, and to those that start again or go on; healing is told like
// everything else, in its order.
func TestFaults(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol
all noop
lab freeze carol
lab partition alice | bob carol
lab latency 100ms±20ms alice -> bob on packets for 10s
lab loss 10%
lab heal alice bob
lab restart bob
lab thaw carol
lab sleep 1s
lab heal
lab restart bob
lab sleep 1s
`, Options{}, nil)
	if err != nil || !r.OK() {
		t.Fatalf("%v, %v\n%s", r.OK(), err, l.out.String())
	}
	rules := []string{"partition alice | bob carol as lab1", "latency 100ms±20ms alice -> bob on packets for 10s as lab2", "loss 10% as lab3", "heal alice bob"}
	lasting := slices.Delete(slices.Clone(rules), 1, 2)
	for name, want := range map[string][]string{
		"alice": append(slices.Clone(rules), "heal"),
		"bob":   append(append(slices.Clone(rules), lasting...), "heal"),
		"carol": append(slices.Clone(lasting), "heal"),
	} {
		var got []string
		for _, e := range l.c.peers[name].log {
			if s := e.GetShown(); s.GetView() == "faults" {
				got = append(got, s.GetText())
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s was told\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// kernel is a runner's own faults.
type kernel struct{ did []string }

func (k *kernel) Set(_ context.Context, r network.Rule) error {
	k.did = append(k.did, r.String())
	return nil
}

func (k *kernel) Heal(_ context.Context, some, others []string) error {
	k.did = append(k.did, "heal "+strings.Join(some, ",")+" "+strings.Join(others, ","))
	return nil
}

// TestFaultsOfTheRunner leaves the peers alone.
func TestFaultsOfTheRunner(t *testing.T) {
	t.Parallel()
	k := &kernel{}
	_, r, err := run(t, "peers alice bob\nall noop\nlab partition alice | bob\nlab heal alice bob\nlab heal\n", Options{Faults: k}, nil)
	if want := []string{"partition alice | bob as lab1", "heal alice bob", "heal  "}; err != nil || !r.OK() || !slices.Equal(k.did, want) {
		t.Errorf("%v %v %q, want %q", err, r.OK(), k.did, want)
	}
}

// TestFaultsSayNothing checks that what a peer is told for a fault is not the output that the suite looks at.
func TestFaultsSayNothing(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, "peers alice bob\nalice echo two words\nlab loss 10%\nexpect alice output = \"two words\"\n", Options{}, nil)
	if err != nil || !r.OK() {
		t.Errorf("%v\n%s", err, l.out.String())
	}
}

// TestRulesThatCannotBeMade checks that these are told before anything starts, at their places, and once where a variable is to
// say more.
func TestRulesThatCannotBeMade(t *testing.T) {
	t.Parallel()
	asked := 0
	opt := ParseOptions{Table: fakeTable(nil), Runner: "netns", Rule: func(r network.Rule) error {
		asked++
		if r.Kind == network.Partition {
			return nil
		}
		return fmt.Errorf("%s: the kernel lacks it", r.Kind)
	}}
	_, err := ParseWith("x.lab", []byte(`peers alice bob
d =     alice noop
lab     partition alice | bob
lab     latency 5ms
[sim]   lab loss 5%
[netns] lab loss 5%
lab     latency $d alice | bob
repeat  2 as i
  lab     loss $i%
end
[!netns] parallel
  lab     loss 1%
end
`), opt)
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatal(err)
	}
	var got []string
	for _, e := range errs {
		got = append(got, e.Error())
	}
	const why = ": the kernel lacks it; a condition such as [!netns] before the line skips it here"
	want := []string{"x.lab:4:9: latency" + why, "x.lab:6:13: loss" + why, "x.lab:7:9: latency" + why, "x.lab:9:11: loss" + why}
	if d := cmp.Diff(want, got); d != "" || asked < 5 {
		t.Errorf("asked %d times: %s", asked, d)
	}
}
