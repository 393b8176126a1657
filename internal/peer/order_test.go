package peer

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// walk is what a peer should have come to by the steps so far.
type walk struct {
	registered, created, started, joined, running, down bool
	tuned                                               bool // probe-interval is 300ms
}

// state is the word for it.
func (w walk) state() string {
	switch {
	case !w.created:
		return "configured"
	case !w.started:
		return "created"
	case w.down:
		return "transport shut down"
	case !w.joined:
		return "started"
	}
	return "joined"
}

// step is a command, and what it does in whatever order it comes: it is refused with a text, or changes the walk.
type step struct {
	line string
	do   func(w *walk) (refused string)
}

const (
	needsCreate = "first: member create"
	needsStart  = "first: member start"
	needsUp     = "the transport is shut down; first: member leave"
)

// need says what is missing for a step.
func (w *walk) need(created, started, up bool) string {
	switch {
	case created && !w.created:
		return needsCreate
	case started && !w.started:
		return needsStart
	case up && w.down:
		return needsUp
	}
	return ""
}

// steps are all commands that belong to a start and its end.
func steps() []step {
	ended := func(w *walk) string {
		missing := w.need(true, false, false)
		*w = walk{tuned: w.tuned}
		return missing
	}
	viewing := func(*walk) string { return "" }
	return []step{
		{"member configure probe-interval=300ms", func(w *walk) string {
			if w.started && !w.tuned {
				return "probe-interval: needs restart: member leave, member configure, init"
			}
			w.tuned = true
			return ""
		}},
		{"member configure sync-interval=1s", viewing},
		{"member create", func(w *walk) string { w.created = true; return "" }},
		{"bootstrap join", func(w *walk) string {
			w.registered = w.created
			return w.need(true, false, false)
		}},
		{"bootstrap leave", func(w *walk) string {
			if !w.registered {
				return "has not joined the roster"
			}
			w.registered = false
			return ""
		}},
		{"member start", func(w *walk) string {
			missing := w.need(true, false, true)
			w.started = w.created
			return missing
		}},
		{"member join", func(w *walk) string {
			missing := w.need(false, true, true)
			w.joined = w.joined || missing == ""
			return missing
		}},
		{"notes start", func(w *walk) string {
			if w.running = w.joined; !w.joined {
				return "first: member join"
			}
			return ""
		}},
		{"notes stop", func(w *walk) string { w.running = false; return "" }},
		{"member update", func(w *walk) string { return w.need(false, true, true) }},
		{"member health", func(w *walk) string { return w.need(false, true, false) }},
		{"member local", viewing},
		{"member list", viewing},
		{"broadcast add key some value", func(w *walk) string { return w.need(false, true, false) }},
		{"broadcast del key", func(w *walk) string { return w.need(false, true, false) }},
		{"broadcast list", viewing},
		{"member shutdown-transport", func(w *walk) string {
			missing := w.need(false, true, true)
			w.down = w.started
			return missing
		}},
		{"member leave", ended},
		{"member shutdown", ended},
		{"init", func(w *walk) string {
			if missing := w.need(false, false, true); missing != "" {
				w.registered = true
				return missing
			}
			*w = walk{registered: true, created: true, started: true, joined: true, running: true, tuned: w.tuned}
			return ""
		}},
	}
}

// walker is a peer that is led.
type walker struct {
	*testPeer
	run  command.Executor
	walk walk
	path []string
}

func (l *testLab) walker(name string) *walker {
	l.t.Helper()
	p := l.peer(name)
	table, err := command.New(p.Commands()...)
	if err != nil {
		l.t.Fatal(err)
	}
	return &walker{testPeer: p, run: command.Executor{Table: table}}
}

// take does one step, and says what is wrong with its outcome.
func (w *walker) take(s step) error {
	w.path = append(w.path, s.line)
	want := s.do(&w.walk)
	err := w.run.Execute(context.Background(), s.line, &app.Env{Out: io.Discard}).Err
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		return fmt.Errorf("%s: got %w, want %q in it", strings.Join(w.path, "; "), err, want)
	}
	if got := w.Peer.state(); got != w.walk.state() {
		return fmt.Errorf("%s: state is %q, want %q", strings.Join(w.path, "; "), got, w.walk.state())
	}
	if got := w.Peer.apps[0].isRunning(); got != w.walk.running {
		return fmt.Errorf("%s: application runs: %t, want %t", strings.Join(w.path, "; "), got, w.walk.running)
	}
	return nil
}

// Every command after every start of the way, in and out of order.
func TestEveryStepInEveryState(t *testing.T) {
	way := []string{"member create", "bootstrap join", "member start", "member join", "notes start", "member shutdown-transport"}
	byLine := map[string]step{}
	for _, s := range steps() {
		byLine[s.line] = s
	}
	inLab(t, func(l *testLab) {
		for n := range len(way) + 1 {
			for i, s := range steps() {
				w := l.walker(fmt.Sprint("p", n, "-", i))
				for _, line := range way[:n] {
					if err := w.take(byLine[line]); err != nil {
						l.t.Fatal(err)
					}
				}
				if err := w.take(s); err != nil {
					l.t.Error(err)
				}
				w.crash()
			}
		}
	})
}

// Long walks: whatever was done before, a peer is always in one of its states, and can always go on to init.
func TestWalksInAnyOrder(t *testing.T) {
	inLab(t, func(l *testLab) {
		n := 0
		rapid.Check(t, func(r *rapid.T) {
			n++
			w := l.walker(fmt.Sprint("p", n))
			defer w.crash()
			all := steps()
			for range rapid.IntRange(1, 25).Draw(r, "steps") {
				if err := w.take(rapid.SampledFrom(all).Draw(r, "step")); err != nil {
					r.Fatal(err)
				}
			}
			for _, s := range all {
				if s.line == "init" && !w.walk.down || s.line == "member leave" && w.walk.created {
					if err := w.take(s); err != nil {
						r.Fatal(err)
					}
				}
			}
		})
	})
}
