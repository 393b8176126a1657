package testcoord

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// run runs a suite with fake peers in virtual time, and returns what became of it.
func run(t *testing.T, src string, opt Options, during func(l *lab, cancel context.CancelFunc)) (*lab, *Result, error) {
	t.Helper()
	var l *lab
	var r *Result
	var err error
	synctest.Test(t, func(t *testing.T) {
		l = newLab(t, src, opt)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if during != nil {
			go during(l, cancel)
		}
		r, err = l.c.Run(ctx)
	})
	return l, r, err
}

// statuses is "LINE STATUS" of each step.
func statuses(r *Result) []string {
	var out []string
	for _, s := range r.Steps {
		out = append(out, fmt.Sprintf("%d %s", s.Line, s.Status))
	}
	return out
}

func wantStatuses(t *testing.T, l *lab, r *Result, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, statuses(r)); d != "" {
		t.Errorf("steps (-want +got):\n%s\n%s", d, l.out.String())
	}
}

func wantOutput(t *testing.T, l *lab, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(l.out.String(), part) {
			t.Errorf("no %q in:\n%s", part, l.out.String())
		}
	}
}

func TestPass(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `suite "all of it"
peers alice bob carol
section "everyone is here"
all init
expect all members alive = 3
expect alice members include carol
section "talk"
alice msg "left side"
expect bob,carol within 2s event message from=alice text="left side"
expect bob event message from~^al x 1
expect alice never 1s event message from=alice
alice echo two words
expect alice output = "two words"
expect alice output ~ /^two +words$/
bob member list
expect bob json [1].name = bob
expect bob json [1].state != alive
bob member count
expect bob json . >= 3
! carol fail
? carol fail
? carol noop
lab sleep 10ms
section "going"
carol quit
expect alice,bob members left = 1
expect all members exclude carol
lab kill bob
expect alice members lost = 1
lab restart bob
bob init
expect all within 1s members alive = 2
`, Options{}, nil)
	if err != nil || !r.OK() || r.Passed != 27 {
		t.Errorf("%v, %+v\n%s", err, r, l.out.String())
	}
	wantOutput(t, l, "== everyone is here", "PASS all of it  3 peers, 27 steps")
	if len(r.Sections) != 3 || r.Sections[1].Duration < time.Second {
		t.Errorf("sections: %+v", r.Sections)
	}
}

func TestPrototypeFilters(t *testing.T) {
	t.Parallel()
	const suite = "alice init\nbob init\nalice testfilter messagesView 1 <bob> test\nbob testfilter messagesView 0 <bob\nbob msg test\n"
	l, r, _ := run(t, suite, Options{}, nil)
	if !r.OK() || r.Passed != 5 {
		t.Errorf("%+v\n%s", r, l.out.String())
	}
	wantOutput(t, l, "command  alice init  OK\ncommand  bob init  OK\ncommand  bob msg test  OK\n"+
		"event  alice messagesView 1 <bob> test  OK\nevent  bob messagesView 0 <bob  OK\nPASS")

	l, r, _ = run(t, suite+"bob msg test\n", Options{}, nil)
	if r.OK() || r.Failed != 1 {
		t.Errorf("one too many: %+v", r)
	}
	wantOutput(t, l, "event  alice messagesView 1 <bob> test  FAILED", "wanted  within 5s  exactly 1 lines that begin with", "2 such events",
		`shown text="<bob> test" view=messages`)
}

// TestFilterSettles checks that an excess that comes shortly after the last step is seen, and a
// line that is late is waited for.
func TestFilterSettles(t *testing.T) {
	t.Parallel()
	for shouts, want := range map[int]bool{0: false, 1: true, 2: false} {
		_, r, _ := run(t, "alice testfilter messagesView 1 hi\nalice noop\n"+strings.Repeat("alice shout hi\n", shouts), Options{}, nil)
		if r.OK() != want {
			t.Errorf("%d shouts: %+v", shouts, r)
		}
	}
}

func TestExpectFails(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, "peers alice bob\nall init\nexpect all within 3s members alive = 3\nalice noop\n", Options{}, nil)
	if err != nil || r.OK() {
		t.Error("passed", err)
	}
	wantStatuses(t, l, r, "2 ok", "3 FAIL", "4 skip")
	if got := r.Steps[1].Duration; got != 3*time.Second {
		t.Errorf("took %s", got)
	}
	wantOutput(t, l, "not within 3s", "wanted  within 3s  members alive = 3", "seen    alice  2 alive (alice bob)",
		"joined peer=bob", "FAIL test  2 peers, 3 steps, 1 failed, 1 skipped")
}

func TestNeverFailsAtOnce(t *testing.T) {
	t.Parallel()
	l, r, _ := run(t, "alice shout hi\nexpect alice never 10s event shown text=hi\n", Options{}, nil)
	wantStatuses(t, l, r, "1 ok", "2 FAIL")
	if got := r.Steps[1].Duration; got > time.Second {
		t.Errorf("took %s", got)
	}
	// What was shown before the step does not count.
	l, r, _ = run(t, "alice shout hi\nlab sleep 1s\nexpect alice never 3s event shown text=hi\n", Options{}, nil)
	wantStatuses(t, l, r, "1 ok", "2 ok", "3 ok")
}

func TestHopelessExpectationEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, expect := range []string{"output = yes", "output ~ ^y", "json . = 4", "json a.b = 4", "json [3] != 4"} {
		l, r, _ := run(t, "alice echo no\nexpect alice within 1m "+expect+"\n", Options{}, nil)
		wantStatuses(t, l, r, "1 ok", "2 FAIL")
		if r.Steps[1].Duration > time.Second {
			t.Errorf("%s: %s", expect, r.Steps[1].Duration)
		}
	}
}

func TestCommandFails(t *testing.T) {
	t.Parallel()
	l, r, _ := run(t, "alice noop\nalice fail\nalice noop\n", Options{KeepGoing: true, Color: true}, nil)
	wantStatuses(t, l, r, "1 ok", "2 FAIL", "3 ok")
	wantOutput(t, l, "this command always fails", "alice | tried[31m hard", "\x1b[31mFAIL")
	l, r, _ = run(t, "! alice noop\nalice noop\n", Options{}, nil)
	wantStatuses(t, l, r, "1 FAIL", "2 skip")
	wantOutput(t, l, "the command passed, and should have failed")
}

func TestCommandTimesOut(t *testing.T) {
	t.Parallel()
	l, r, _ := run(t, "peers alice bob\nalice,bob within 2s sleep 1m\n? alice sleep 1m\nbob sleep 1s\n", Options{KeepGoing: true}, nil)
	wantStatuses(t, l, r, "2 FAIL", "3 FAIL", "4 ok")
	if a, b := r.Steps[0].Duration, r.Steps[1].Duration; a != 2*time.Second || b != 30*time.Second {
		t.Errorf("took %s and %s", a, b)
	}
	wantOutput(t, l, "not done within 2s", "not done within 30s")
}

func TestSuiteTimesOut(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, "timeout 5s\nalice sleep 20s\nalice noop\n", Options{}, nil)
	wantStatuses(t, l, r, "2 FAIL", "3 skip")
	if err != nil || r.OK() || r.Duration > 6*time.Second {
		t.Errorf("%v %+v", err, r)
	}
	wantOutput(t, l, "the suite was not done within 5s")
}

// TestDeath checks that a peer that dies ends what waits for it, and fails the run.
func TestDeath(t *testing.T) {
	t.Parallel()
	const head = "peers alice bob\nall init\n"
	for _, step := range []string{"bob sleep 20s", "all sleep 20s", "expect bob within 20s members alive = 9", "expect all never 20s members alive = 9"} {
		l, r, err := run(t, head+step+"\nalice noop\n", Options{}, func(l *lab, _ context.CancelFunc) {
			time.Sleep(time.Second)
			l.runner.get("bob").die()
		})
		wantStatuses(t, l, r, "2 ok", "3 FAIL", "4 skip")
		if err != nil || len(r.Problems) != 1 {
			t.Errorf("%s: %v %+v", step, err, r)
		}
		wantOutput(t, l, "FAIL bob died: signal: killed\n     | bob says its last words")
		if limit := 25 * time.Second; strings.HasPrefix(step, "all") == (r.Steps[1].Duration < limit) && r.Duration > limit {
			t.Errorf("%s took %s", step, r.Duration)
		}
	}
	// A death that no step waits for fails the run after the step.
	l, r, _ := run(t, head+"alice sleep 3s\nalice noop\n", Options{}, func(l *lab, _ context.CancelFunc) {
		time.Sleep(time.Second)
		l.runner.get("bob").die()
	})
	wantStatuses(t, l, r, "2 ok", "3 ok", "4 skip")
	if r.OK() {
		t.Error("passed")
	}
}

func TestEndedPeers(t *testing.T) {
	t.Parallel()
	l, r, _ := run(t, `peers alice bob
all init
lab stop bob
expect alice members left = 1
all noop
expect bob event joined peer=bob
bob noop
lab kill bob
expect bob members alive = 3
lab restart alice bob
all init
expect all members alive = 2
`, Options{KeepGoing: true}, nil)
	wantStatuses(t, l, r, "2 ok", "3 ok", "4 ok", "5 ok", "6 ok", "7 FAIL", "8 FAIL", "9 FAIL", "10 ok", "11 ok", "12 ok")
	wantOutput(t, l, "bob has ended (stop)")
	if l.runner.count != 4 {
		t.Errorf("%d starts", l.runner.count)
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, "peers alice bob\nall sleep 20s\nalice noop\n", Options{}, func(_ *lab, cancel context.CancelFunc) {
		time.Sleep(time.Second)
		cancel()
	})
	wantStatuses(t, l, r, "2 FAIL", "3 skip")
	if err == nil || !r.Interrupted || r.Duration > 2*time.Second {
		t.Errorf("%v %+v", err, r)
	}
	wantOutput(t, l, "interrupted", "FAIL test")
}

// TestTimeoutAtTheStart lets the time of a suite run out before its peers are there: that is its failure, and no other suite's.
func TestTimeoutAtTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "timeout 2s\npeers alice bob\nall noop\n", Options{})
		l.runner.mute = map[string]bool{"bob": true}
		r, err := l.c.Run(context.Background())
		if err != nil || r.OK() {
			t.Errorf("%v %+v", err, r)
		}
		wantStatuses(t, l, r, "3 skip")
		wantOutput(t, l, "the suite was not done within 2s")
	})
}

func TestPeerDoesNotAttach(t *testing.T) {
	t.Parallel()
	var l *lab
	synctest.Test(t, func(t *testing.T) {
		l = newLab(t, "peers alice bob\nall noop\nalice testfilter messagesView 1 x\n", Options{StartTimeout: 4 * time.Second})
		l.runner.mute = map[string]bool{"bob": true}
		r, err := l.c.Run(context.Background())
		wantStatuses(t, l, r, "2 skip", "3 skip")
		if err == nil || r.OK() || r.Duration < 4*time.Second {
			t.Errorf("%v %+v", err, r)
		}
	})
	wantOutput(t, l, "FAIL bob did not start: it did not attach within 4s\n     | bob | bob says its last words", "event  alice messagesView 1 x  SKIPPED")
}
