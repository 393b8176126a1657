package event

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func shown(text string) *eventv1.Event {
	return &eventv1.Event{What: &eventv1.Event_Shown{Shown: &eventv1.Shown{View: "messages", Text: text}}}
}

func TestLogNumbersAndStamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New("alice", 8)
		<-time.After(3 * time.Second) // virtual
		l.Emit(shown("hello"))
		e, missed := l.Read(0).Try()
		if missed != 0 || e.GetSeq() != 1 || e.GetNode() != "alice" || e.GetMonoNs() != int64(3*time.Second) {
			t.Errorf("got %v, missed %d", e, missed)
		}
		if !e.GetTime().AsTime().Equal(time.Now()) {
			t.Errorf("time is %v, want now", e.GetTime().AsTime())
		}
	})
}

// TestTimesAreInTheOrderOfNumbers emits from two goroutines at once: readers sort by time, and must not get another order by it.
func TestTimesAreInTheOrderOfNumbers(t *testing.T) {
	t.Parallel()
	const each = 20_000
	l := New("alice", 2*each)
	var emitting sync.WaitGroup
	for range 2 {
		emitting.Go(func() {
			for range each {
				l.Emit(shown("x"))
			}
		})
	}
	emitting.Wait()
	before := int64(0)
	for r := l.Read(0); ; {
		e, _ := r.Try()
		if e == nil {
			return
		}
		if e.GetMonoNs() < before {
			t.Fatalf("event %d is dated %d ns before the one before it", e.GetSeq(), before-e.GetMonoNs())
		}
		before = e.GetMonoNs()
	}
}

func TestReaderThatIsSlowIsToldWhatItMissed(t *testing.T) {
	t.Parallel()
	l := New("alice", 4)
	r := l.Read(0)
	for i := range 10 {
		l.Emit(shown(string(rune('a' + i))))
	}
	e, missed := r.Try()
	if e.GetShown().GetText() != "g" || missed != 6 {
		t.Errorf("got %q after %d missed, want g after 6", e.GetShown().GetText(), missed)
	}
	for _, want := range []string{"h", "i", "j"} {
		if e, missed = r.Try(); e.GetShown().GetText() != want || missed != 0 {
			t.Errorf("got %q after %d missed, want %q after none", e.GetShown().GetText(), missed, want)
		}
	}
	if e, _ = r.Try(); e != nil {
		t.Errorf("got %v, want nothing more", e)
	}
}

func TestReaderWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New("alice", 4)
		ctx, cancel := context.WithCancel(context.Background())
		got := make(chan string)
		ended := make(chan error)
		go func() {
			r := l.Read(0)
			for {
				e, _, err := r.Next(ctx)
				if err != nil {
					ended <- err
					return
				}
				got <- e.GetShown().GetText()
			}
		}()
		synctest.Wait() // the reader waits for an event
		for _, want := range []string{"one", "two"} {
			l.Emit(shown(want))
			if s := <-got; s != want {
				t.Errorf("got %q, want %q", s, want)
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

func TestKindAndFields(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		event  *eventv1.Event
		kind   string
		fields map[string]string
	}{
		{&eventv1.Event{}, "", nil},
		{shown("hi"), "shown", map[string]string{"view": "messages", "text": "hi"}},
		{
			&eventv1.Event{What: &eventv1.Event_Lost{Lost: &eventv1.Member{Peer: "bob"}}},
			"lost", map[string]string{"peer": "bob", "id": "", "addr": ""},
		},
		{
			&eventv1.Event{What: &eventv1.Event_Roster{Roster: &eventv1.Roster{Size: 2, Peers: []string{"a", "b"}}}},
			"roster", map[string]string{"group": "", "revision": "0", "max_peers": "0", "size": "2", "peers": "a,b"},
		},
		{
			&eventv1.Event{What: &eventv1.Event_Custom{Custom: &eventv1.Custom{App: "x", Kind: "grew", Fields: map[string]string{"n": "5"}}}},
			"grew", map[string]string{"n": "5"},
		},
	} {
		if got := Kind(tt.event); got != tt.kind {
			t.Errorf("kind of %v is %q, want %q", tt.event, got, tt.kind)
		}
		if d := cmp.Diff(tt.fields, Fields(tt.event)); d != "" {
			t.Errorf("fields of %v (-want +got):\n%s", tt.event, d)
		}
	}
}

func TestKindsCoverTheSchema(t *testing.T) {
	t.Parallel()
	kinds := Kinds()
	for _, k := range []string{"joined", "suspected", "recovered", "left", "lost", "message", "shown", "command", "roster"} {
		if kinds[k] == nil {
			t.Errorf("no kind %q in %v", k, kinds)
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	e := &eventv1.Event{What: &eventv1.Event_Message{Message: &eventv1.Message{From: "bob", Text: "two words\x1b[2J", Seq: 3}}}
	if got, want := Line(e), `message from=bob seq=3 text="two words\x1b[2J"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
