package sim

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
	"peerlab.example/peerlab/internal/lab"
	"peerlab.example/peerlab/internal/testcoord"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func apps() []func() app.App { return []func() app.App{func() app.App { return chat.New() }} }

// specOf is the spec of a suite that lies on disk.
func specOf(t testing.TB, file string, params map[string]string) *Spec {
	t.Helper()
	table, err := lab.Table(apps())
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	suite, err := testcoord.ParseWith(file, src, testcoord.ParseOptions{Table: table, Read: os.ReadFile, Params: params, Runner: RunnerName})
	if err != nil {
		t.Fatal(err)
	}
	sources, err := Load(suite, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	return &Spec{File: file, Sources: sources, Params: params, Seed: 1, Gossip: "fast"}
}

// inBubble runs a simulation in virtual time.
func inBubble(t *testing.T, spec *Spec) (outcome *Outcome, out string) {
	t.Helper()
	var b bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		var err error
		outcome, err = Run(t.Context(), spec, apps(), &b)
		if err != nil {
			t.Error(err)
		}
		<-time.After(Settle)
	})
	return outcome, b.String()
}

// TestShippedSuites runs each suite of examples/ as it is.
func TestShippedSuites(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/*.lab")
	fallacies, err2 := filepath.Glob("../../examples/fallacies/*.lab")
	if files = append(files, fallacies...); err != nil || err2 != nil || len(files) < 15 {
		t.Fatal(err, err2, files)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			var params map[string]string
			if filepath.Base(file) == "churn.lab" {
				params = map[string]string{"n": "14"} // it is run with 50 as processes
			}
			outcome, out := inBubble(t, specOf(t, file, params))
			if outcome == nil || !outcome.Result.OK() {
				t.Error(out)
			}
		})
	}
}

// TestAllFaults runs a suite that has each fault.
func TestAllFaults(t *testing.T) {
	t.Parallel()
	outcome, out := inBubble(t, specOf(t, "testdata/sink.lab", nil))
	if outcome == nil || !outcome.Result.OK() {
		t.Error(out)
	}
}

// TestKeepEvents checks that a simulation keeps no more events than it is told.
func TestKeepEvents(t *testing.T) {
	t.Parallel()
	spec := specOfText(t, "peers alice\nrepeat 20\n  alice echo hello\nend\n")
	spec.KeepEvents = 5
	if outcome, out := inBubble(t, spec); outcome == nil || outcome.Missed == 0 || len(outcome.Log.Entries) > 5 {
		t.Errorf("%+v\n%s", outcome, out)
	}
}

// TestNoShell checks that what needs a machine fails with the reason. Files are nothing for commands of a suite anywhere.
func TestNoShell(t *testing.T) {
	t.Parallel()
	outcome, out := inBubble(t, specOfText(t, "peers alice\nalice shell ls\n"))
	if outcome == nil || outcome.Result.OK() || !strings.Contains(out, "there is no shell here: this is a simulation") {
		t.Error(out)
	}
}

func specOfText(t testing.TB, src string) *Spec {
	t.Helper()
	return &Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": []byte(src)}, Seed: 1, Gossip: "fast"}
}

// TestProfiles checks that distance is felt, and that a suite holds everywhere.
func TestProfiles(t *testing.T) {
	t.Parallel()
	took := map[string]time.Duration{}
	for _, profile := range Profiles() {
		spec := specOfText(t, "peers p[1..6]\nall init\nexpect all within 30s members alive = 6\np1 msg hello\nexpect p2,p3,p4,p5,p6 within 30s event message from=p1\n")
		spec.Profile = profile
		outcome, out := inBubble(t, spec)
		if outcome == nil || !outcome.Result.OK() {
			t.Errorf("%s: %s", profile, out)
			continue
		}
		took[profile] = outcome.Result.Steps[0].Duration
	}
	if took["wan"] < 5*took["lan"] || took["wan"] < 100*time.Millisecond {
		t.Errorf("to join takes %v", took)
	}
	spec := specOfText(t, "peers alice\nalice init\n")
	spec.Profile = "moon"
	if _, err := Run(t.Context(), spec, apps(), io.Discard); err == nil || !strings.Contains(err.Error(), "lan, wan, lossy") {
		t.Error(err)
	}
}

// TestClock sets a clock ahead: what that peer writes wins over what others write later without having seen it, as last writer wins has it, and its events
// are dated so.
func TestClock(t *testing.T) {
	t.Parallel()
	outcome, out := inBubble(t, specOfText(t, `peers alice bob
all init
expect all within 10s members alive = 2
lab clock alice +1m
lab partition alice | bob
alice broadcast add key ahead
lab sleep 1s
bob broadcast add key later
lab heal
lab clock alice -1m
alice echo behind
lab sleep 10s
bob broadcast list
expect bob output ~ /ahead/
`))
	if outcome == nil || !outcome.Result.OK() {
		t.Error(out)
	}
	var ahead, behind bool
	for _, e := range outcome.Log.Entries {
		if e.Peer == "alice" {
			off := e.Event.GetTime().AsTime().Sub(outcome.Result.Start.Add(e.At)).Round(time.Second)
			ahead, behind = ahead || off == time.Minute, behind || off == -time.Minute
		}
	}
	if !ahead || !behind {
		t.Error("events are not dated by the clock", ahead, behind)
	}
}
