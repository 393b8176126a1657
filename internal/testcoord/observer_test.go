package testcoord

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/invariant"
)

// spy writes down what it is told, in words.
type spy struct {
	mu    sync.Mutex
	steps []string // guarded by mu
	lives []string // guarded by mu
	kinds []string // guarded by mu; of events
}

func (s *spy) note(to *[]string, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*to = append(*to, fmt.Sprintf(format, args...))
}

func (s *spy) RunBegins(start time.Time)   { s.note(&s.lives, "run") }
func (s *spy) LifeBegins(l invariant.Life) { s.note(&s.lives, "%s begins", l.Peer) }
func (s *spy) LifeEnds(l invariant.Life)   { s.note(&s.lives, "%s ends: %s", l.Peer, l.How) }
func (s *spy) StepBegins(r StepRecord) {
	s.note(&s.steps, "%d at %s begins %s", r.Line, r.Start, r.Status)
}
func (s *spy) StepEnds(r StepRecord)        { s.note(&s.steps, "%d at %s ends %s", r.Line, r.Start, r.Status) }
func (s *spy) EventTaken(e invariant.Entry) { s.note(&s.kinds, "%s %s", e.Peer, event.Kind(e.Event)) }

func TestObserverIsToldWhatHappens(t *testing.T) {
	t.Parallel()
	s := &spy{}
	l, r, err := run(t, `peers alice bob
alice init
lab sleep 1s
bob sleep 2s &
alice echo hi
wait
lab freeze bob
lab thaw bob
lab kill bob
parallel
  alice sleep 3s
  lab sleep 1s
end
alice testfilter messagesView 0 nothing
alice fail
alice echo never
`, Options{Observer: s}, nil)
	if err != nil || r.OK() {
		t.Fatalf("%v, %+v\n%s", err, r, l.out.String())
	}
	want := []string{
		"2 at 0s begins ", "2 at 0s ends ok", "3 at 0s begins ", "3 at 0s ends ok", "4 at 1s begins ", "5 at 1s begins ", "5 at 1s ends ok",
		"6 at 1s begins ", "4 at 1s ends ok", "6 at 1s ends ok", "7 at 3s begins ", "7 at 3s ends ok", "8 at 3s begins ", "8 at 3s ends ok",
		"9 at 3s begins ", "9 at 3s ends ok", "11 at 3s begins ", "12 at 3s begins ", "12 at 3s ends ok", "11 at 3s ends ok",
		"15 at 6s begins ", "15 at 6s ends FAIL", "16 at 6s ends skip", "14 at 6s ends skip",
	}
	// Steps that run at once begin and end in any order.
	slices.Sort(want)
	slices.Sort(s.steps)
	if d := cmp.Diff(want, s.steps); d != "" {
		t.Errorf("steps (-want +got):\n%s", d)
	}
	lives := strings.Join(s.lives, ", ")
	for _, part := range []string{"run, ", "alice begins", "bob begins", "bob ends: kill", "alice ends: end"} {
		if !strings.Contains(lives, part) {
			t.Errorf("no %q in %s", part, lives)
		}
	}
	if !strings.HasPrefix(lives, "run, ") {
		t.Errorf("before the run began, %s", lives)
	}
	var kept []string
	for _, p := range l.c.peers {
		for _, e := range p.log {
			kept = append(kept, p.name+" "+event.Kind(e.Event))
		}
	}
	slices.Sort(kept)
	slices.Sort(s.kinds)
	if d := cmp.Diff(kept, s.kinds); d != "" || !slices.Contains(kept, "bob fault") {
		t.Errorf("events (-kept +told):\n%s", d)
	}
}

func TestProgressTellsWhoIsWaitedFor(t *testing.T) {
	t.Parallel()
	var seen []string
	look := func(l *lab) {
		p := l.c.Progress()
		text := string(p.Phase)
		for _, s := range p.Steps {
			text += fmt.Sprintf(" [%d %s]", s.Line, strings.Join(s.Waiting, ","))
		}
		if len(p.Waiting) > 0 {
			text += " for " + strings.Join(p.Waiting, ",")
		}
		seen = append(seen, fmt.Sprintf("%s %s %+v", p.Elapsed, text, p.Peers))
	}
	_, r, err := run(t, `peers alice bob carol
alice init
lab kill carol
lab freeze bob
alice sleep 10s &
expect all within 3s members alive = 1
`, Options{KeepGoing: true}, func(l *lab, _ context.CancelFunc) {
		<-time.After(time.Second)
		look(l)
		<-time.After(5 * time.Second)
		look(l)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"1s running [5 alice] [6 bob] {Starting:0 Alive:1 Frozen:1 Killed:1 Stopped:0 Died:0}",
		"6s running [5 alice] {Starting:0 Alive:1 Frozen:1 Killed:1 Stopped:0 Died:0}",
	}
	if d := cmp.Diff(want, seen); d != "" {
		t.Errorf("progress (-want +got):\n%s\n%+v", d, r)
	}
}

func TestProgressOfTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "peers alice bob\nalice noop\n", Options{StartTimeout: 5 * time.Second})
		l.runner.mute = map[string]bool{"bob": true}
		ended := make(chan error)
		go func() {
			_, err := l.c.Run(t.Context())
			ended <- err
		}()
		<-time.After(time.Second)
		p := l.c.Progress()
		if p.Phase != Starting || len(p.Steps) != 0 || !slices.Equal(p.Waiting, []string{"bob"}) {
			t.Errorf("while bob does not attach, progress is %+v", p)
		}
		if (p.Peers != PeerStates{Alive: 1, Starting: 1}) {
			t.Errorf("peers are %+v", p.Peers)
		}
		if <-ended == nil {
			t.Error("the run went well")
		}
		if p := l.c.Progress(); p.Phase != Over || len(p.Waiting) != 0 {
			t.Errorf("at the end, progress is %+v", p)
		}
	})
}

// lifeSpy notes of which life events are.
type lifeSpy struct {
	spy
	t *testing.T
}

func (s *lifeSpy) EventTaken(e invariant.Entry) {
	var again invariant.Entry
	data, err := json.Marshal(e)
	if err != nil || json.Unmarshal(data, &again) != nil || again.Life != e.Life {
		s.t.Errorf("%+v (%v) is read again as %+v", e, err, again)
	}
	s.note(&s.kinds, "%s %d", e.Peer, e.Life)
}

// TestEventsTellTheirLife starts a peer again, whose events count anew then.
func TestEventsTellTheirLife(t *testing.T) {
	t.Parallel()
	s := &lifeSpy{t: t}
	l, r, err := run(t, "peers alice bob\nall init\nlab restart bob\nbob init\nlab freeze bob\nlab thaw bob\n", Options{Observer: s}, nil)
	if err != nil || !r.OK() {
		t.Fatalf("%v, %+v\n%s", err, r, l.out.String())
	}
	slices.Sort(s.kinds)
	if got, want := strings.Join(slices.Compact(s.kinds), ", "), "alice 0, bob 0, bob 1"; got != want {
		t.Errorf("there are events of %s, want %s", got, want)
	}
}
