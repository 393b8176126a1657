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
	for name, want := range map[string][]string{
		"alice": append(slices.Clone(rules), "heal"),
		"bob":   append(append(slices.Clone(rules), rules...), "heal"),
		"carol": append(slices.Clone(rules), "heal"),
	} {
		if got, want := l.told(name), strings.Join(want, "; "); got != want {
			t.Errorf("%s was told\n%s\nwant\n%s", name, got, want)
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

// told are the fault commands that a peer was told, in all its lives.
func (l *lab) told(name string) string {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	var out []string
	for _, e := range l.c.peers[name].log {
		if s := e.GetShown(); s.GetView() == "faults" {
			out = append(out, s.GetText())
		}
	}
	return strings.Join(out, "; ")
}

// TestHealReachesTheFrozen has all faults lifted while a peer is frozen, which must not keep them when it goes on.
func TestHealReachesTheFrozen(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob
lab     partition alice | bob as cut
lab     freeze bob
lab     heal
lab     thaw bob
lab     loss 5% as lossy
lab     heal
lab     restart bob
alice   echo x
expect  alice output = x
lab     heal alice bob
expect  alice output = x           # what the coordinator does itself is no output of the suite
`, Options{}, nil)
	if err != nil || !r.OK() {
		t.Fatalf("%v %+v\n%s", err, r, l.out.String())
	}
	const once = "partition alice | bob as cut; heal; loss 5% as lossy; heal; heal alice bob"
	if got := l.told("alice"); got != once {
		t.Errorf("alice was told %s", got)
	}
	if got := l.told("bob"); got != once {
		t.Errorf("bob was told %s", got)
	}
}

// TestNewcomersKnowWhatIsLeft restarts and thaws peers while a rule is in force that ends by itself, and when it has ended.
func TestNewcomersKnowWhatIsLeft(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol
lab     freeze carol
lab     partition alice | bob for 3s as cut
lab     sleep 1s
lab     restart bob
lab     thaw carol
lab     sleep 2s
lab     restart alice
lab     loss 5% as lossy
lab     loss 7% for 400us as lossy
lab     sleep 1s
lab     restart alice
`, Options{}, nil)
	if err != nil || !r.OK() {
		t.Fatalf("%v %+v\n%s", err, r, l.out.String())
	}
	for name, want := range map[string]string{
		"alice": "partition alice | bob for 3s as cut; loss 5% as lossy; loss 7% for 400µs as lossy",
		"bob":   "partition alice | bob for 3s as cut; partition alice | bob for 2s as cut; loss 5% as lossy; loss 7% for 400µs as lossy",
		"carol": "partition alice | bob for 2s as cut; loss 5% as lossy; loss 7% for 400µs as lossy",
	} {
		if got := l.told(name); got != want {
			t.Errorf("%s was told %s", name, got)
		}
	}
}

// TestLinksOfSeveral has rules for groups, ranges and lists, each told with the names of peers.
func TestLinksOfSeveral(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob p[1..3]
group   left = alice bob
lab     partition left | p[1..2] as cut
lab     partition alice,p1 -> p[2..3] as other
lab     heal left p1,p2
`, Options{}, nil)
	if err != nil || !r.OK() {
		t.Fatalf("%v %+v\n%s", err, r, l.out.String())
	}
	const want = "partition alice bob | p1 p2 as cut; partition alice p1 -> p2 p3 as other; " +
		"heal alice p1; heal alice p2; heal bob p1; heal bob p2"
	if got := l.told("p3"); got != want {
		t.Errorf("p3 was told %s", got)
	}
}

func TestMembersIncludeSeveral(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob p[1..3]
group   left = alice bob
left,p1 init
expect  left members include left,p1
expect  left members exclude p[2..3]
`, Options{}, nil)
	if err != nil || !r.OK() {
		t.Fatalf("%v %+v\n%s", err, r, l.out.String())
	}
	for _, src := range []string{"include left,p2", "exclude p[1..2]"} {
		if _, r, err := run(t, "peers alice bob p[1..3]\ngroup left = alice bob\nleft,p1 init\nexpect left within 1s members "+src+"\n", Options{}, nil); err != nil || r.OK() {
			t.Errorf("%s holds: %v", src, err)
		}
	}
}
