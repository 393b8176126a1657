package explore

import (
	"slices"
	"strings"
	"testing"
)

// TestKept checks that no peer is killed or frozen where the steps around are about something that this would change. The line with
// the mark is the one that a fault is to come before; no is whom it may not strike there.
func TestKept(t *testing.T) {
	t.Parallel()
	const all = "alice bob carol"
	for _, tt := range []struct {
		why, src         string
		noKill, noFreeze string
	}{
		{"others are those that the step before has not named", "alice msg a\n@others msg b\n", all, all},
		{"and the steps between name nobody", "alice msg a\n@lab sleep 1s\nlab loss 5% for 1s\nothers msg b\n", all, all},
		{"and others name nobody either", "alice msg a\nothers msg b\n@repeat 2\n others msg c\nend\n", all, all},
		{"and a condition may keep a step from being run", "alice msg a\n@[linux] bob msg b\nothers msg c\n", all, all},
		{"in a branch, too", "alice msg a\n@parallel\n bob msg b\n others msg c\nend\n", all, all},
		{"another is named in any case", "alice msg a\n@bob msg b\nothers msg c\n", "", ""},
		{"what follows is about others no more", "alice msg a\nothers msg b\n@carol msg c\n", "", ""},

		{"what is back has run init, whose output is another", "alice member count\n@lab sleep 1s\nexpect alice output = 3\n", "alice", ""},
		{"of its result, too", "n = alice member count\n@bob msg a\nexpect alice within 2s json . = 3\n", "alice", ""},
		{"whoever that is", "all member count\n@lab sleep 1s\nalice member count\nexpect all output = 3\n", "bob carol", ""},
		{"or may be", "all member count\n@n = alice echo 3\nexpect any output = 3\nexpect alice output = $n\n", "bob carol", ""},
		{"after another command", "alice member count\nexpect alice output = 3\n@alice member count\nexpect alice output = 3\n", "", ""},
		{"in a block, too", "alice member count\n@repeat 2\n expect alice output = 3\nend\n", "alice", ""},
		{"at the end, too", "alice member count\n@lab sleep 1s\ncleanup\n expect alice output = 3\nend\n", "alice", ""},
		{"the word alone means nothing", "alice msg a\n@bob msg b\nexpect alice event message text=output text=json\n", "", ""},

		{"something of hers runs", "alice sleep 2s &\n@bob msg a\nwait\n", "alice", "alice"},
		{"and nobody waits for it", "others sleep 2s &\nbob msg a\n@bob msg b\n", all, all},
		{"until that is waited for", "alice sleep 2s &\nwait\n@bob msg a\n", "", ""},
		{"but it may not be", "bob sleep 2s &\n[linux] wait\n@bob msg a\n", "bob", "bob"},
		{"in a block, too", "repeat 2\n bob sleep 2s &\nend\n@bob msg a\n", "bob", "bob"},
		{"which waits itself", "repeat 2\n bob sleep 2s &\n wait\nend\n@bob msg a\n", "", ""},
	} {
		before, after, _ := strings.Cut("peers alice bob carol\nall init\n"+tt.src, "@")
		target := target(t, before+after)
		place := slices.Index(target.Places, strings.Count(before, "\n")+1)
		if place < 0 {
			t.Errorf("%q: there is no place", tt.src)
			continue
		}
		for _, name := range target.Peers {
			if may, want := target.mayEnd(name, place, Kill), !strings.Contains(tt.noKill, name); may != want {
				t.Errorf("%s: %q: %s may be killed: %t", tt.why, tt.src, name, may)
			}
			if may, want := target.mayEnd(name, place, Freeze), !strings.Contains(tt.noFreeze, name); may != want {
				t.Errorf("%s: %q: %s may be frozen: %t", tt.why, tt.src, name, may)
			}
		}
	}
}

// TestBeginAndEnd checks that each way to say it is seen as the begin or the end of a peer.
func TestBeginAndEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ src, begun, spared string }{
		{"all within 10s init\n", "alice bob", ""},
		{"x = alice init\n", "alice", ""},
		{"[linux] ? any 2 within 3s init --steps\n", "alice bob", ""},
		{"all init\nbob within 10s member leave\n", "alice bob", "bob"},
		{"all init\nbob memberlist delete\n", "alice bob", "bob"},
		{"all init\nt = bob echo 1\nbob member leave --timeout ${t}s\n", "alice bob", "alice bob"},
		{"all init\nbob chat stop\n", "alice bob", "bob"},
		{"all init\nlab kill bob\n", "alice bob", "bob"},
		{"all init\nbob msg member leave\nbob msg lab kill alice\n", "alice bob", ""},
	} {
		target := target(t, "peers alice bob\n"+tt.src+"alice msg a\n")
		for _, name := range target.Peers {
			if _, begun := target.begun[name]; begun != strings.Contains(tt.begun, name) {
				t.Errorf("%q: %s begins: %t", tt.src, name, begun)
			}
		}
		if got := strings.Join(target.spared, " "); got != tt.spared {
			t.Errorf("%q: %q are spared, not %q", tt.src, got, tt.spared)
		}
	}
}
