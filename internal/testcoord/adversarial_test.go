package testcoord

import (
	"context"
	"testing"
	"time"
)

// TestNothingHangs runs suites whose parts wait for each other, and are cut short by a failure, the suite's time or an
// interrupt. Each must end soon, with a verdict on every step.
func TestNothingHangs(t *testing.T) {
	t.Parallel()
	const barrier = "parallel\n  branch\n    alice fail\n    barrier here\n    alice noop\n  end\n  branch\n    barrier here\n    bob noop\n  end\n  branch\n    carol noop\n    barrier here\n  end\nend\nalice noop\n"
	const rounds = "parallel\n  repeat 3\n    alice noop\n    barrier here\n  end\n  repeat 2\n    bob noop\n    barrier here\n  end\nend\n"
	const asleep = "parallel\n  branch\n    alice sleep 1m\n    barrier here\n  end\n  branch\n    bob noop &\n    barrier here\n  end\n  carol sleep 1m\nend\n"
	const behind = "alice sleep 1m &\nexpect bob within 1m members alive = 9 &\nbob fail &\nwait\ncarol noop\n"
	const nested = "parallel\n  parallel\n    branch\n      alice fail\n      barrier x\n    end\n    branch\n      barrier x\n    end\n  end\n  branch\n    bob sleep 1m\n  end\nend\n"
	for _, tt := range []struct {
		name, src string
		opt       Options
		interrupt bool
		ok        bool
		says      string
	}{
		{name: "a branch fails before the barrier", src: barrier},
		{name: "a branch fails, and all goes on", src: barrier, opt: Options{KeepGoing: true}},
		{name: "branches with fewer rounds", src: rounds, ok: true},
		{name: "the time ends", src: "timeout 1s\n" + asleep},
		{name: "the time ends, and all goes on", src: "timeout 1s\n" + asleep, opt: Options{KeepGoing: true}, says: "the suite was not done within 1s"},
		{name: "an interrupt", src: asleep, interrupt: true},
		{name: "the background fails", src: "timeout 2s\n" + behind},
		{name: "an interrupt of the background", src: behind, interrupt: true},
		{name: "parallel in parallel", src: nested},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src := "peers alice bob carol\n" + tt.src + "cleanup\n  carol noop\n  expect carol output = \"\"\nend\n"
			l, r, _ := run(t, src, tt.opt, func(_ *lab, cancel context.CancelFunc) {
				if tt.interrupt {
					time.Sleep(time.Second)
					cancel()
				}
			})
			if r.OK() != tt.ok || r.Duration > 20*time.Second {
				t.Errorf("%s\n%s", r.Duration, l.out.String())
			}
			last := r.Steps[len(r.Steps)-2:]
			if last[0].Status != Passed || last[1].Status != Passed {
				t.Errorf("the cleanup was not run:\n%s", l.out.String())
			}
			wantOutput(t, l, tt.says)
		})
	}
}

// TestBarrierTellsWhoIsMissing lets one branch wait for another for longer than a barrier does.
func TestBarrierTellsWhoIsMissing(t *testing.T) {
	t.Parallel()
	l, r, _ := run(t, "peers alice bob\nparallel\n  branch\n    expect alice within 10m members alive = 9\n    barrier here\n  end\n  branch\n    barrier here\n  end\nend\n", Options{}, nil)
	if r.OK() {
		t.Error("it passed")
	}
	wantOutput(t, l, "not all branches have arrived within 5m0s; those that are missing: line 3")
}
