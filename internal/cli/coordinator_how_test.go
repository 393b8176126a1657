package cli

import (
	"testing"
	"time"
)

// TestAgain checks that the command which shows a run again has all flags that the run depends on.
func TestAgain(t *testing.T) {
	t.Parallel()
	f := runFlags{keepGoing: true, keep: 50, verbose: true, how: how{
		runner: inSim, seed: 7, timeout: time.Minute, stepTimeout: time.Second, set: []string{"n=4 or so"}, sim: simFlags{latency: "wan"},
	}}
	want := "this very run again: peerlab coordinator run --runner sim --seed 7 --latency wan --timeout 1m0s --step-timeout 1s " +
		"--keep-going --keep-events 50 --set 'n=4 or so' x.lab"
	if got := f.again("x.lab"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
