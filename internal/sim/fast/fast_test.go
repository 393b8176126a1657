package fast

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
	"peerlab.example/peerlab/internal/invariant"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/testcoord"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func apps() []func() app.App { return []func() app.App{func() app.App { return chat.New() }} }

func spec(src string) *sim.Spec {
	return &sim.Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": []byte(src)}, Seed: 1, Gossip: "fast"}
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	o, stats, err := Run(t.Context(), spec("peers alice bob\nall init\nlab sleep 1h\nexpect all members alive = 2\n"), apps(), &out)
	if err != nil || !o.Result.OK() || stats.Virtual.Hours() < 1 {
		t.Errorf("%v %v\n%s", err, stats, &out)
	}
}

// TestStopped ends a run from outside of its time.
func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	enough := errors.New("enough")
	out := writer(func(b []byte) {
		if bytes.Contains(b, []byte("init")) {
			cancel(enough)
		}
	})
	o, _, err := Run(ctx, spec("peers alice bob\nall init\nlab sleep 1000h\n"), apps(), out)
	if !errors.Is(err, enough) || o == nil || !o.Result.Interrupted {
		t.Error(o, err)
	}
}

// TestObserved checks that one outside is told, and may wait for it on what it makes itself.
func TestObserved(t *testing.T) {
	s := spec("peers alice bob\nall init\nlab kill bob\n")
	seen := &watcher{more: make(chan struct{})}
	s.Observer = seen
	ended := make(chan struct{})
	var told int
	go func() { // outside of all bubbles
		defer close(ended)
		for told < 10 {
			seen.mu.Lock()
			told = seen.told
			more := seen.more
			seen.mu.Unlock()
			if told < 10 {
				<-more
			}
		}
	}()
	if _, _, err := Run(t.Context(), s, apps(), io.Discard); err != nil {
		t.Error(err)
	}
	<-ended
	if seen.steps != 4 || seen.lives != 4 || seen.runs != 1 {
		t.Errorf("%+v", seen)
	}
}

// watcher counts what it is told.
type watcher struct {
	mu                       sync.Mutex
	told, runs, lives, steps int
	more                     chan struct{}
}

func (w *watcher) count(to *int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*to++
	w.told++
	close(w.more)
	w.more = make(chan struct{})
}

func (w *watcher) RunBegins(time.Time)             { w.count(&w.runs) }
func (w *watcher) LifeBegins(invariant.Life)       { w.count(&w.lives) }
func (w *watcher) LifeEnds(invariant.Life)         { w.count(&w.lives) }
func (w *watcher) EventTaken(invariant.Entry)      { w.count(new(int)) }
func (w *watcher) StepBegins(testcoord.StepRecord) { w.count(&w.steps) }
func (w *watcher) StepEnds(testcoord.StepRecord)   { w.count(&w.steps) }

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }
