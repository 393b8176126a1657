package cli

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"peerlab.example/peerlab/internal/report"
	"peerlab.example/peerlab/internal/testcoord"
)

func TestAudienceSeesRunsOneByOneAndAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, line := newPaper(100)
		a := &audience{line: line, site: report.NewSite(nil), end: func() {}}
		a.start()
		a.expect(true)
		suite := &testcoord.Suite{Name: "one", Peers: []string{"alice"}}
		h := &how{runner: onProcesses}
		pause := func(d time.Duration) {
			<-time.After(d)
			synctest.Wait()
		}
		first := a.begin(suite, h, "first")
		pause(time.Second)
		if p.row != "1.0s" {
			t.Errorf("of a run that tells nothing yet, the line is %q", p.row)
		}
		first.follow(testcoord.New(suite, testcoord.Options{Runner: &testcoord.ProcessRunner{}, Observer: first.observer()}))
		pause(time.Second)
		if !strings.HasSuffix(p.row, "waits for alice") {
			t.Errorf("of a run that begins, the line is %q", p.row)
		}
		second := a.begin(suite, h, "second\x1b[2J")
		pause(time.Second)
		if want := "0 runs have ended  2 go on: first 3.0s, second[2J 1.0s"; p.row != want {
			t.Errorf("of two runs, the line is %q, want %q", p.row, want)
		}
		second.over(nil, errors.New("port taken"))
		first.over(&report.Run{}, nil)
		if p.row != "" || a.ended != 2 || a.bad != 1 {
			t.Errorf("after all, the line is %q; %d have ended, %d of them badly", p.row, a.ended, a.bad)
		}
		a.end()
	})
}

func TestNobodyWatches(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	a, std := newAudience(Stdio{Out: &out})
	a.start()
	defer a.end()
	seen := a.begin(&testcoord.Suite{}, &how{}, "x")
	if a.line != nil || std.Out != &out || seen.observer() != nil {
		t.Error("somebody is there")
	}
	seen.over(nil, nil)
	a.look()
}

func TestOwnName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		bound, name string
		want        bool
	}{
		{"127.0.0.1", "192.0.2.1", false},
		{"localhost", "lab.example", false},
		{"::1", "lab.example", false},
		{"0.0.0.0", "192.0.2.1", true},
		{"::", "2001:db8::1", true},
		{"0.0.0.0", "evil.example", false},
		{"0.0.0.0", "192.0.2.1.evil.example", false},
		{"0.0.0.0", "", false},
		{"lab.example", "LAB.example", true},
		{"lab.example", "evil.example", false},
		{"192.0.2.1", "evil.example", false},
	} {
		if got := ownName(tt.bound, tt.name); got != tt.want {
			t.Errorf("bound to %s, asked for as %q: %v", tt.bound, tt.name, got)
		}
	}
}
