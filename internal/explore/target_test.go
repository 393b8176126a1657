package explore

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/testcoord"
)

// read parses a suite for the simulation.
func read(t *testing.T, name, src string) *testcoord.Suite {
	t.Helper()
	table, err := lab.Table([]func() app.App{func() app.App { return chat.New() }})
	if err != nil {
		t.Fatal(err)
	}
	suite, err := testcoord.ParseWith(name, []byte(src), testcoord.ParseOptions{Table: table, Read: os.ReadFile, Runner: "sim"})
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

const small = `# A head.
peers alice bob carol
alice,bob init
alice msg hello

carol init
parallel
  alice msg hello
  bob msg hello
end
lab stop carol
expect all members alive = 2
`

func target(t *testing.T, src string) *Target {
	t.Helper()
	return NewTarget(read(t, "small.lab", src), []byte(src))
}

// TestTarget says where faults can be, and whom they can strike.
func TestTarget(t *testing.T) {
	t.Parallel()
	target := target(t, small)
	if d := cmp.Diff([]int{4, 6, 7, 11, 12}, target.Places); d != "" {
		t.Error(d)
	}
	for _, tt := range []struct {
		name  string
		place int
		kind  Kind
		want  bool
	}{
		{"alice", 0, Kill, true},
		{"bob", 4, Kill, true},
		{"carol", 1, Kill, false}, // the suite ends her itself
		{"carol", 1, Freeze, false},
		{"nobody", 0, Kill, false},
	} {
		if got := target.mayEnd(tt.name, tt.place, tt.kind); got != tt.want {
			t.Errorf("%s %s at %d: %t", tt.kind, tt.name, tt.place, got)
		}
	}
}

// TestWordsThatAreNoNames checks that a group, and a variable, may be anybody.
func TestWordsThatAreNoNames(t *testing.T) {
	t.Parallel()
	target := target(t, "peers p[1..3]\ngroup some = p1 p2\n[sim] all init\nrepeat 2 as i\n  lab restart p$i\n  p$i init\nend\np1 msg hello\n")
	for _, name := range target.Peers {
		if target.mayEnd(name, 1, Kill) {
			t.Errorf("%s may be killed, although the suite may end any peer", name)
		}
		if target.begun[name] != 0 {
			t.Errorf("%s has begun at place %d", name, target.begun[name])
		}
	}
}

// TestWith puts faults into a suite, finds each line again, and checks that it is one that can be read.
func TestWith(t *testing.T) {
	t.Parallel()
	target := target(t, small)
	head := []string{"# found by nobody"}
	for seed := range uint64(300) {
		faults := Draw(seed, target, 3*time.Second)
		if d := cmp.Diff(faults, Draw(seed, target, 3*time.Second)); d != "" {
			t.Fatalf("seed %d makes two schedules: %s", seed, d)
		}
		src := target.With(faults, head)
		read(t, "with.lab", string(src))
		var kept []string
		lines := strings.SplitAfter(string(src), "\n")
		for i, line := range lines[:len(lines)-1] {
			if origin, fault := target.Origin(i+1, faults, head); fault >= 0 {
				if !slices.Contains(faults[fault].Lines(), strings.TrimSuffix(line, "\n")) {
					t.Errorf("seed %d: line %d is said to be of %v", seed, i+1, faults[fault])
				}
			} else if origin > 0 {
				kept = append(kept, line)
				if len(kept) != origin {
					t.Errorf("seed %d: line %d is said to be %d, and is %d", seed, i+1, origin, len(kept))
				}
			}
		}
		if got := strings.Join(kept, ""); got != string(target.src) {
			t.Fatalf("seed %d: what is left without the faults is not the suite:\n%s", seed, got)
		}
	}
}

// TestByteOrderMark checks that what stands before a suite does not move its byte order mark into the text.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	target := target(t, "\ufeffpeers alice bob\nall init\nalice msg hello\n")
	src := target.With([]Fault{{Kind: Loss, Part: 5, Length: time.Second}}, []string{"# found by nobody"})
	if got := read(t, "with.lab", string(src)); len(got.Peers) != 2 {
		t.Errorf("%q has the peers %q", src, got.Peers)
	}
}

// TestLastSection checks that the last of several sections is without faults, which are over when it begins.
func TestLastSection(t *testing.T) {
	t.Parallel()
	target := target(t, "peers alice bob\nall init\nsection one\nalice msg a\nsection two\nexpect all members alive = 2\n")
	if d := cmp.Diff([]int{3, 4}, target.Places); d != "" {
		t.Error(d)
	}
	faults := []Fault{{Place: 0, Kind: Loss, Part: 5, Length: 2 * time.Second}, {Place: 1, Kind: Latency, Length: time.Second}}
	want := "peers alice bob\nall init\nlab loss 5% for 2s\nsection one\nlab latency 50ms±25ms for 1s\nalice msg a\nlab sleep 2s\nsection two\nexpect all members alive = 2\n"
	if d := cmp.Diff(want, string(target.With(faults, nil))); d != "" {
		t.Error(d)
	}
	if got, fault := target.Origin(7, faults, nil); got != 0 || fault >= 0 {
		t.Errorf("the wait is taken for line %d, and of fault %d", got, fault)
	}
}

// TestAllKinds checks that chance makes each kind of fault.
func TestAllKinds(t *testing.T) {
	t.Parallel()
	target := target(t, small)
	seen := map[Kind]bool{}
	for seed := range uint64(200) {
		for _, f := range Draw(seed, target, time.Second) {
			seen[f.Kind] = true
			if f.Length < shortest || f.Length > time.Second {
				t.Errorf("a %s of %s", f.Kind, f.Length)
			}
			if slices.Contains(f.Some, "carol") && f.Kind == Kill {
				t.Error("carol is killed")
			}
		}
	}
	if len(seen) != 6 {
		t.Errorf("only %v", seen)
	}
}

// TestManyPeers checks that a partition of hundreds of peers with long names is a line that can be read.
func TestManyPeers(t *testing.T) {
	t.Parallel()
	target := target(t, "peers "+strings.Repeat("x", 40)+"[1..400]\nall init\nall msg hello\n")
	for seed := range uint64(50) {
		read(t, "with.lab", string(target.With(Draw(seed, target, time.Second), nil)))
	}
}
