package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/explore"
	"peerlab.example/peerlab/internal/testcoord"
)

// TestExploreVerdict checks that only an exploration which was not cut short says that all seeds pass.
func TestExploreVerdict(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		found explore.Findings
		cut   bool
		want  string
	}{
		{explore.Findings{Runs: 2, Passed: 2}, false, "PASS x  2 seeds, "},
		{explore.Findings{Runs: 2, Passed: 1}, false, "FAIL x  2 seeds, 1 failed in "},
		{explore.Findings{}, true, "ENDED x  0 seeds, "},
	} {
		var out bytes.Buffer
		e := &exploration{std: Stdio{Out: &out}, suite: &testcoord.Suite{Name: "x"}, begun: time.Now()}
		if err := e.show(&tt.found, tt.cut); err != nil || !strings.HasPrefix(out.String(), tt.want) {
			t.Errorf("%v %q, not %q", err, out.String(), tt.want)
		}
	}
}
