package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/sim/guest"
	"peerlab.example/peerlab/internal/testcoord"
)

// shared is the guest of all tests, which takes long to build and to compile.
var shared = sync.OnceValues(func() (*Pool, error) {
	file := filepath.Join(folder, "guest.wasm")
	if err := guest.Build(context.Background(), "peerlab.example/peerlab/internal/sim/host/testdata/lab", file); err != nil {
		return nil, err
	}
	return poolOf(file), nil
})

// folder is where the guest is, and what is compiled of it.
var folder string

// poolOf are workers with the guest in that file: this program again.
func poolOf(file string) *Pool {
	return NewPool(func() (*exec.Cmd, error) {
		path, err := os.Executable()
		return exec.Command(path, workerMode, file, filepath.Join(folder, "compiled")), err
	})
}

// workerMode is the argument of a test binary that is to be a worker.
const workerMode = "worker-of-tests"

// TestMain leaves the tests out with the race detector: the compiler of the guest takes minutes then, and a guest has one thread.
// A worker is the test binary, too.
func TestMain(m *testing.M) {
	if raced {
		return
	}
	if len(os.Args) == 4 && os.Args[1] == workerMode {
		if err := Work(context.Background(), os.Stdin, os.Stdout, os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(tests{m})
}

// tests have a folder for what all of them share.
type tests struct{ *testing.M }

// Run implements goleak.TestingM.
func (m tests) Run() int {
	var err error
	if folder, err = os.MkdirTemp("", "peerlab-guest-"); err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	code := m.M.Run()
	if p, err := shared(); err == nil {
		p.Close()
	}
	return code
}

func run(t *testing.T, seed uint64, src string) (*sim.Outcome, string, error) {
	t.Helper()
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	spec := &sim.Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": []byte(src)}, Seed: seed, Gossip: "fast", Verbose: true}
	o, _, err := p.Run(t.Context(), spec, &out)
	return o, out.String(), err
}

const loss = `peers p[1..5]
all init
expect all within 10s members alive = 5
lab loss 30%
lab latency 20ms±19ms
any 2 msg "who hears this?"
lab sleep 5s
lab kill p5
expect p1 within 1m members lost = 1
`

// TestSameSeedSameRun compares all that is known of runs, down to the nanosecond.
func TestSameSeedSameRun(t *testing.T) {
	t.Parallel()
	one, text, err := run(t, 42, loss)
	if err != nil || !one.Result.OK() {
		t.Fatalf("%v\n%s", err, text)
	}
	again, textAgain, err := run(t, 42, loss)
	if err != nil {
		t.Fatal(err)
	}
	if d := sim.Diff(one, again); d != "" || text != textAgain {
		t.Errorf("not the same: %s\n%s", d, cmp.Diff(text, textAgain))
	}
	other, otherText, err := run(t, 43, loss)
	if err != nil {
		t.Fatal(err)
	}
	if sim.Diff(one, other) == "" || text == otherText {
		t.Error("another seed gave the same run")
	}
}

// TestSameRunWhoeverLooks shows the same run in all ways, from several places.
func TestSameRunWhoeverLooks(t *testing.T) {
	t.Parallel()
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	src := strings.Replace(loss, "any 2 msg", "include \"more.lab\"\nany 2 msg", 1)
	const more = "repeat 20 as i\n  any 2 echo said $i\nend\n"
	runs := map[string]*sim.Outcome{}
	texts := map[string]string{}
	for name, change := range map[string]func(*sim.Spec){
		"plain":   func(*sim.Spec) {},
		"verbose": func(s *sim.Spec) { s.Verbose = true },
		"colour":  func(s *sim.Spec) { s.Color = true },
		"watched": func(s *sim.Spec) { s.Observer = &watcher{} },
		"elsewhere": func(s *sim.Spec) {
			s.File = "a/long/way/from/here/suite.lab"
			s.Sources = map[string][]byte{s.File: []byte(src), "a/long/way/from/here/more.lab": []byte(more)}
		},
	} {
		spec := &sim.Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": []byte(src), "more.lab": []byte(more)}, Seed: 42, Gossip: "fast"}
		change(spec)
		var out bytes.Buffer
		if runs[name], _, err = p.Run(t.Context(), spec, &out); err != nil {
			t.Fatal(name, err)
		}
		texts[name] = out.String()
	}
	for name, o := range runs {
		for _, part := range []*sim.Outcome{o, runs["plain"]} { // what is shown of steps may differ
			part.Result.File, part.Result.Suite = "", ""
			for i := range part.Result.Steps {
				part.Result.Steps[i].Details, part.Result.Steps[i].File = nil, ""
			}
		}
		if d := sim.Diff(runs["plain"], o); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	for name, text := range texts {
		if strings.Contains(text, "| said 7") != (name == "verbose") || strings.Contains(text, "\x1b[") != (name == "colour") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	if texts["watched"] != texts["plain"] || !strings.Contains(texts["elsewhere"], " a/long/way/from/here/more.lab:2  ") {
		t.Error(texts["watched"], texts["elsewhere"])
	}
}

// TestPanic checks that a guest that breaks is told with its seed and the place.
func TestPanic(t *testing.T) {
	t.Parallel()
	_, text, err := run(t, 7, "peers alice\nalice bad panic\nlab sleep 1s\n")
	var broke *sim.BrokenError
	if !errors.As(err, &broke) || broke.Seed != 7 || broke.Why != "panic: this cannot be caught" || !strings.Contains(broke.Stacks, "main.go") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestExits has a command that ends the process of the guest.
func TestExits(t *testing.T) {
	t.Parallel()
	o, text, err := run(t, 7, "peers alice\nalice echo before\nalice bad print\nalice bad exit\nlab sleep 1s\n")
	var broke *sim.BrokenError
	if o != nil || !errors.As(err, &broke) || broke.Seed != 7 || broke.Why != "it ended with exit code 0, without an outcome" || broke.Stacks != "some of it\nmore of it\n" {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestPrints has a command that writes to the standard output, where the frames are.
func TestPrints(t *testing.T) {
	t.Parallel()
	o, text, err := run(t, 7, "peers alice\nalice bad print\nalice echo after\n")
	if err != nil || !o.Result.OK() || len(o.Result.Steps) != 2 {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestStopped ends a guest from outside.
func TestStopped(t *testing.T) {
	t.Parallel()
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	spec := &sim.Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": []byte("peers alice bob\nall init\nlab sleep 100000h\n")}, Gossip: "fast"}
	_, _, err = p.Run(ctx, spec, writer(func(b []byte) {
		if bytes.Contains(b, []byte("init")) {
			cancel(enough)
		}
	}))
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}

// TestComputes has a command that computes for ever, and looks at no clock meanwhile.
func TestComputes(t *testing.T) {
	t.Parallel()
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	for _, interrupted := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		ticks, over := make(chan time.Time), make(chan struct{})
		computes := &begins{step: "alice bad compute", do: func() {
			if interrupted {
				cancel(enough)
				return
			}
			go func() {
				for {
					select {
					case ticks <- time.Time{}:
					case <-over:
						return
					}
				}
			}()
		}}
		spec := &sim.Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": []byte("peers alice\nalice init\nalice bad compute\n")}, Seed: 7, Gossip: "fast", Observer: computes}
		_, _, err := p.run(ctx, spec, io.Discard, ticks)
		close(over)
		cancel(nil)
		var broke *sim.BrokenError
		if interrupted && !errors.Is(err, enough) || !interrupted && (!errors.As(err, &broke) || broke.Seed != 7) {
			t.Error(err)
		}
	}
	if _, text, err := run(t, 1, "peers alice\nalice echo fine\n"); err != nil {
		t.Errorf("the next run: %v\n%s", err, text)
	}
}

// begins does something when a step begins.
type begins struct {
	testcoord.Nobody
	step string
	do   func()
}

func (b *begins) StepBegins(s testcoord.StepRecord) {
	if s.Text == b.step {
		b.do()
	}
}

// TestNoGuest has files that are none.
func TestNoGuest(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.wasm")
	if err := os.WriteFile(empty, []byte("\x00asm\x01\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"nothing.wasm": "start the simulation: open nothing.wasm: no such file", "host_test.go": "start the simulation: compile the simulation: invalid magic number", empty: "it ended with exit code 0, without an outcome"} {
		p := poolOf(file)
		spec := &sim.Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": []byte("peers alice\nalice echo\n")}}
		if _, _, err := p.Run(t.Context(), spec, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
		p.Close()
	}
}

// TestStandsStill is a command that never ends: the time that it has is virtual, and nobody waits for it.
func TestStandsStill(t *testing.T) {
	t.Parallel()
	o, text, err := run(t, 1, "peers alice\nalice bad hang\n")
	if err != nil || o.Result.OK() || !strings.Contains(text, "30s") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestObserved checks that one outside of the guest is told as it happens.
func TestObserved(t *testing.T) {
	t.Parallel()
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	seen := &watcher{}
	spec := &sim.Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": []byte("peers alice bob\nall init\nlab kill bob\n")}, Gossip: "fast", Observer: seen}
	var before int
	o, _, err := p.Run(t.Context(), spec, writer(func(b []byte) {
		if bytes.Contains(b, []byte("PASS")) {
			before = seen.events
		}
	}))
	if err != nil || seen.runs != 1 || seen.lives != 4 || seen.steps != 4 || before < 3 || seen.events != len(o.Log.Entries) {
		t.Errorf("%v %+v, %d events before the end", err, seen, before)
	}
}

// watcher counts what it is told.
type watcher struct{ runs, lives, events, steps int }

func (w *watcher) RunBegins(time.Time)             { w.runs++ }
func (w *watcher) LifeBegins(invariant.Life)       { w.lives++ }
func (w *watcher) LifeEnds(invariant.Life)         { w.lives++ }
func (w *watcher) EventTaken(invariant.Entry)      { w.events++ }
func (w *watcher) StepBegins(testcoord.StepRecord) { w.steps++ }
func (w *watcher) StepEnds(testcoord.StepRecord)   { w.steps++ }

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }
