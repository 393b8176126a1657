package testcoord

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/command"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob carol
alice,bob init
expect all metric members{state=alive} = 2
expect all metric members{state!=alive} = 0
expect all metric members > 1.5
expect all metric members{state~^al} <= 2e0
expect alice metric heard_total = 0                  # nobody was heard yet
expect alice metric heard_total{from=bob} >= 3 &
expect all never 1s metric members > 2 &
expect all always 1s metric members{state="alive"} = 2 &
expect carol never 1s metric temperature < 100 &     # which it does not have
expect alice,bob metric heard_total{from=$SELF} = 0
bob msg one
bob msg two
bob msg three
wait
all echo hello
expect alice metric heard_total{from=bob} = 3        # which is asked aside
expect alice output = hello
expect all metric age_seconds <= 1500ms
expect all metric age_seconds > 1.4
`, Options{}, nil)
	if err != nil || !r.OK() {
		t.Errorf("%v %+v\n%s", err, r, l.out.String())
	}
}

// TestMetricsAreWaitedFor checks that a number may become what it should be after a while, and how long it takes to see that.
func TestMetricsAreWaitedFor(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, `peers alice bob
all init
parallel
  branch
    lab sleep 1s
    bob msg one
    lab sleep 1s
    bob msg two
  end
  expect alice within 5s metric heard_total{from=bob} = 2
end
`, Options{}, nil)
	if err != nil || !r.OK() {
		t.Errorf("%v %+v\n%s", err, r, l.out.String())
	}
	for _, s := range r.Steps {
		if strings.HasPrefix(s.Text, "expect") && (s.Duration < 2*time.Second || s.Duration > 2*time.Second+askEvery) {
			t.Errorf("it took %s to see that", s.Duration)
		}
	}
}

func TestMetricsFail(t *testing.T) {
	t.Parallel()
	for src, want := range map[string][]string{
		"expect all within 1s metric members{state=alive} = 3":                    {"not within 1s", "wanted  within 1s  metric members{state=alive} = 3", "seen    alice  members is 2, of {state=alive} 2  {state=lost} 0"},
		"expect all within 1s metric members{state=alife} != 3":                   {"not within 1s", "seen    alice  there is no such members, of {state=alive} 2"},
		"bob msg x\nexpect alice metric heard_total = 0":                          {"this cannot become true any more at alice", "seen    alice  heard_total is 1"},
		"expect alice within 1s metric temperature < 100":                         {"not within 1s", "there is no temperature"},
		"expect alice metric broken = 1":                                          {"this cannot become true any more at alice", "this command always fails"},
		"expect all never 5s metric members = 2":                                  {"metric members = 2 became true at "},
		"expect all always 5s metric members = 3":                                 {"metric members = 3 is false at "},
		"expect alice always 5s metric members = 2 &\nlab sleep 1s\nlab kill bob": {"metric members = 2 became false at alice"},
		"expect all always 5s metric members = 2 &\nlab sleep 1s\nlab kill bob":   {"wanted  always for 5s"},
	} {
		if strings.Contains(src, "&") {
			src += "\nwait"
		}
		l, r, err := run(t, "peers alice bob\nall init\n"+src+"\n", Options{}, nil)
		if err != nil || r.OK() {
			t.Errorf("%q passed: %v", src, err)
		}
		wantOutput(t, l, want...)
	}
}

// TestMetricsOfSilentPeers checks that a peer which does not answer fails what is expected of it, also where nothing was to happen.
func TestMetricsOfSilentPeers(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"within", "never", "always"} {
		l, r, err := run(t, "peers alice bob\nall init\nlab freeze alice\nexpect all "+how+" 2s metric members{state=alive} >= 0\n", Options{}, nil)
		if err != nil || r.OK() {
			t.Errorf("%s passed: %v", how, err)
		}
		if how == "never" {
			wantOutput(t, l, "became true at bob")
			continue
		}
		wantOutput(t, l, "alice has not answered within 2s", "seen    alice  it has not answered")
	}
}

func TestMetricsEndWithTheRun(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, "peers alice bob\nall init\nexpect all within 1h metric members{state=alive} = 3\n", Options{}, func(_ *lab, cancel context.CancelFunc) {
		<-time.After(time.Minute)
		cancel()
	})
	if !errors.Is(err, context.Canceled) || !r.Interrupted || r.Duration > 2*time.Minute {
		t.Errorf("%v %+v\n%s", err, r, l.out.String())
	}
}

// TestQuestionsAreQuiet checks that the event log of a peer does not tell what the coordinator asks, and the stream no output of it.
func TestQuestionsAreQuiet(t *testing.T) {
	t.Parallel()
	told := 0
	a := &agent{exec: &command.Executor{Table: fakeTable(nil), Done: func(string, command.Outcome, time.Duration) { told++ }}}
	o := a.execute(t.Context(), &testcoordv1.Run{Line: "member count", Quiet: true}) // output would need a stream
	if o.Err != nil || o.JSON != "3" || told != 0 {
		t.Errorf("%+v, told %d times", o, told)
	}
}
