package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAgain checks that the command which shows a run again has all flags that the run depends on.
func TestAgain(t *testing.T) {
	t.Parallel()
	f := runFlags{keepGoing: true, keep: 50, verbose: true, how: how{
		runner: inSim, seed: 7, timeout: time.Minute, stepTimeout: time.Second, set: []string{"n=4 or so"}, sim: simFlags{latency: "wan", guest: "a guest.wasm"},
	}}
	want := "this very run again: peerlab coordinator run --runner sim --seed 7 --latency wan --guest 'a guest.wasm' --timeout 1m0s --step-timeout 1s " +
		"--keep-going --keep-events 50 --set 'n=4 or so' x.lab"
	if got := f.again("x.lab"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestSimulatedAsParsed checks that a simulation gets what was parsed, also where the files have become others since, or have no more to give as a pipe.
func TestSimulatedAsParsed(t *testing.T) {
	t.Parallel()
	suite, part := filepath.Join(t.TempDir(), "suite.lab"), "part.lab"
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(filepath.Dir(suite), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("suite.lab", "peers alice\ninclude part.lab\n")
	write(part, "alice init\n")
	f := runFlags{how: how{runner: inSim}}
	parsing, err := f.how.parsing()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // as a study does
		suites, err := parseSuites(Stdio{Out: t.Output(), Err: t.Output()}, nil, []string{suite}, parsing)
		if err != nil {
			t.Fatal(err)
		}
		write("suite.lab", "")
		write(part, "")
		spec, err := f.specOf(suites[0], false)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]byte{
			filepath.ToSlash(suite): []byte("peers alice\ninclude part.lab\n"), filepath.ToSlash(filepath.Join(filepath.Dir(suite), part)): []byte("alice init\n"),
		}
		if d := cmp.Diff(want, spec.Sources); d != "" {
			t.Error(d)
		}
	}
}
