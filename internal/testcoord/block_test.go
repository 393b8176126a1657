package testcoord

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// echoes is what the peer's "shout" and "msg" commands showed, in order.
func shownAt(l *lab, name string) []string {
	var out []string
	for _, e := range l.c.peers[name].log {
		if s := e.GetShown(); s.GetView() == "messages" {
			out = append(out, s.GetText())
		}
	}
	return out
}

func TestRepeat(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob
all init
repeat 2 as i
  alice msg round $i
  repeat 2
    bob noop
  end
end
expect bob event shown text~round x 2
`, Options{}, nil)
	if err != nil || !r.OK() || r.Passed != 8 {
		t.Fatalf("%v %+v\n%s", err, r, l.out.String())
	}
	if d := cmp.Diff([]string{"<alice> round 1", "<alice> round 2"}, shownAt(l, "bob")); d != "" {
		t.Error(d)
	}
	wantOutput(t, l, "   3  repeat 2 as i\n", "   4    alice msg round $i  (i=1/2)\n", "   6      bob noop  (i=2/2 1/2)\n")
}

func TestRepeatStopsAtFailure(t *testing.T) {
	t.Parallel()
	const src = "peers alice\nrepeat 3\n  alice fail\n  alice noop\nend\nalice noop\n"
	l, r, _ := run(t, src, Options{}, nil)
	wantStatuses(t, l, r, "3 FAIL", "4 skip", "6 skip")
	l, r, _ = run(t, src, Options{KeepGoing: true}, nil)
	wantStatuses(t, l, r, "3 FAIL", "4 ok", "3 FAIL", "4 ok", "3 FAIL", "4 ok", "6 ok")
}

// TestRunawayRepeat checks the bound on rounds that are known only at run time.
func TestRunawayRepeat(t *testing.T) {
	t.Parallel()
	l, r, _ := run(t, "peers alice\nn = 20000\nrepeat $n\n  m = 1\nend\nn = 9000\nrepeat $n\n  repeat $n\n    m = 1\n  end\nend\n", Options{KeepGoing: true}, nil)
	if r.OK() {
		t.Error("passed")
	}
	if got := len(r.Steps); got > maxRuns+10 {
		t.Errorf("%d steps", got)
	}
	wantOutput(t, l, "a block is repeated 1 to 10000 times", "the suite has run 100000 steps, which is the most")
}

// TestRunawaySections checks the same bound for what does nothing.
func TestRunawaySections(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"section x", "[sim] m = 1"} {
		l, r, _ := run(t, "peers alice\nn = 9000\nrepeat $n\n  repeat $n\n    "+line+"\n  end\nend\n", Options{}, nil)
		if got := len(r.Steps) + len(r.Sections); r.OK() || got > maxRuns+10 {
			t.Errorf("%d steps and sections", got)
		}
		wantOutput(t, l, "the suite has run 100000 steps, which is the most")
	}
}

func TestParallel(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol
parallel
  alice sleep 2s
  branch
    bob sleep 1s
    bob sleep 1s
  end
  repeat 2
    carol sleep 1s
  end
end
alice noop
`, Options{}, nil)
	if err != nil || !r.OK() || r.Passed != 6 || r.Duration >= 3*time.Second {
		t.Errorf("%v %+v\n%s", err, r, l.out.String())
	}
}

func TestParallelFails(t *testing.T) {
	t.Parallel()
	const src = `peers alice bob
parallel
  alice sleep 20s
  branch
    bob sleep 1s
    bob fail
    bob noop
  end
end
alice noop
`
	l, r, _ := run(t, src, Options{}, nil)
	wantStatuses(t, l, r, "5 ok", "6 FAIL", "7 skip", "3 skip", "10 skip")
	wantOutput(t, l, "another step has failed")
	if r.Duration > 5*time.Second {
		t.Errorf("took %s", r.Duration)
	}
	l, r, _ = run(t, src, Options{KeepGoing: true}, nil)
	wantStatuses(t, l, r, "5 ok", "6 FAIL", "7 ok", "3 ok", "10 ok")
}

func TestBarrier(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol
parallel
  repeat 2
    alice sleep 1s
    barrier round
  end
  repeat 2
    bob noop
    barrier round
  end
  carol noop
end
`, Options{}, nil)
	if err != nil || !r.OK() || r.Duration < 2*time.Second || r.Duration > 3*time.Second {
		t.Errorf("%v %+v\n%s", err, r, l.out.String())
	}
	var order []string
	for _, s := range r.Steps {
		if !strings.HasPrefix(s.Text, "barrier") {
			order = append(order, s.Text+s.Round)
		}
	}
	if len(order) != 5 || order[4] != "alice sleep 1s2/2" {
		t.Errorf("%q", order)
	}
}

func TestBarriersThatNeverMeet(t *testing.T) {
	t.Parallel()
	l, r, _ := run(t, `peers alice bob
parallel
  branch
    barrier one
  end
  branch
    barrier two
  end
end
`, Options{}, nil)
	if r.OK() || r.Duration > time.Second {
		t.Errorf("%+v", r)
	}
	wantOutput(t, l, `the branches wait for each other at different barriers: "`)
}

func TestBackground(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob
all init
expect bob never 3s event message text=late &
alice sleep 2s &
alice noop
wait
alice msg late
`, Options{}, nil)
	if err != nil || !r.OK() || r.Duration > 5*time.Second {
		t.Errorf("%v %+v", err, r)
	}
	wantStatuses(t, l, r, "2 ok", "5 ok", "4 ok", "3 ok", "6 ok", "7 ok")
}

// TestBackgroundHasBegun freezes a peer right after a command of it in the background, which it has got before.
func TestBackgroundHasBegun(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, "peers alice bob\nbob sleep 3s &\nlab freeze bob\nlab sleep 1s\nlab thaw bob\nwait\n", Options{}, nil)
	if err != nil || !r.OK() {
		t.Errorf("%v\n%s", err, l.out.String())
	}
}

func TestBackgroundFails(t *testing.T) {
	t.Parallel()
	l, r, _ := run(t, "peers alice\nalice fail &\nalice fail &\nalice sleep 1s\nwait\nalice noop\n", Options{}, nil)
	if r.Failed != 3 || r.Passed != 1 || r.Skipped != 1 {
		t.Errorf("%+v", r)
	}
	wantOutput(t, l, "2 of what ran in the background have failed: line 2 and line 3")
	// What nobody waits for is waited for at the end, and cut short after a failure.
	l, r, _ = run(t, "peers alice\nalice sleep 2s &\nalice noop\n", Options{}, nil)
	wantStatuses(t, l, r, "3 ok", "2 ok")
	l, r, _ = run(t, "peers alice\nalice sleep 20s &\nalice fail\n", Options{}, nil)
	wantStatuses(t, l, r, "3 FAIL", "2 skip")
	if r.Duration > 5*time.Second {
		t.Errorf("took %s", r.Duration)
	}
	l, r, _ = run(t, "peers alice\nalice sleep 1s &\nalice fail &\nalice noop\n", Options{}, nil)
	if r.OK() {
		t.Error("passed", l.out.String())
	}
}

func TestCleanup(t *testing.T) {
	t.Parallel()
	const src = `peers alice bob
timeout 5s
who = alice
cleanup
  $who noop
  alice fail
  alice noop
end
cleanup within 3s
  bob sleep 1m
  bob noop
end
bob sleep %s
`
	at := func(d string) string { return strings.Replace(src, "%s", d, 1) }
	want := []string{"5 ok", "6 FAIL", "7 ok", "10 FAIL", "11 skip"}
	l, r, _ := run(t, at("1s"), Options{}, nil)
	wantStatuses(t, l, r, append([]string{"3 ok", "13 ok"}, want...)...)
	wantOutput(t, l, "the cleanup was not done within 3s")
	l, r, _ = run(t, at("1m"), Options{}, nil) // the suite's time is over
	wantStatuses(t, l, r, append([]string{"3 ok", "13 FAIL"}, want...)...)
	l, r, err := run(t, at("3s"), Options{}, func(_ *lab, cancel context.CancelFunc) {
		time.Sleep(time.Second)
		cancel()
	})
	wantStatuses(t, l, r, append([]string{"3 ok", "13 FAIL"}, want...)...)
	if err == nil || !r.Interrupted {
		t.Error("not interrupted")
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob
[sim] alice fail
[!sim] alice noop
[process] [linux] alice noop
[process] [!linux] alice fail
[sim] repeat 2
  alice fail
end
[process] repeat 1
  alice noop
end
`, Options{Facts: []string{"linux"}}, nil)
	if err != nil || !r.OK() {
		t.Errorf("%v %+v", err, r)
	}
	wantStatuses(t, l, r, "2 skip", "3 ok", "4 ok", "5 skip", "7 skip", "10 ok")
	wantOutput(t, l, "skip", "not [sim] here", "not [!linux] here")
}

// TestRunnerCannot checks that check finds what a runner cannot do, unless the line is for others.
func TestRunnerCannot(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"lab clock alice +5s":                           `the runner "process" cannot set a peer's clock; a condition such as [sim] before the line skips it there`,
		"[process] lab clock alice +5s":                 "cannot set",
		"[sim] lab clock alice +5s":                     "",
		"[!process] repeat 1\nlab clock alice +5s\nend": "",
		"lab kill alice":                                "",
	} {
		_, err := ParseWith("x.lab", []byte("peers alice\n"+src+"\nalice noop"), ParseOptions{Table: fakeTable(nil), Runner: "process"})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", src, err)
		}
	}
	_, err := ParseWith("x.lab", []byte("alice noop\nlab kill alice"), ParseOptions{Table: fakeTable(nil), Runner: "attach"})
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 1 || errs[0].Line != 2 {
		t.Error(err)
	}
}
