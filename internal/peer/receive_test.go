package peer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
	appv1 "peerlab.example/peerlab/proto/peerlab/app/v1"
)

func TestReceiveMayPanic(t *testing.T) {
	inLab(t, func(l *testLab) {
		var a, b mail
		var log strings.Builder
		b.receive = func(_ app.Member, payload []byte) {
			if string(payload) == "bad" {
				panic("cannot read this")
			}
		}
		alice := l.joined("alice", mailing(&a))
		bob := l.joined("bob", mailing(&b), func(_ *Config, d *Deps) { d.Log = zerolog.New(zerolog.SyncWriter(&log)) })
		to := alice.member(bob)
		err := a.peer.Send(context.Background(), to, []byte("bad"))
		if err == nil || !strings.Contains(err.Error(), "panicked") {
			t.Errorf("got %v", err)
		}
		if err := a.peer.Broadcast([]byte("bad")); err != nil {
			t.Error(err)
		}
		<-time.After(time.Second)
		b.busy.Store(false)
		if err := a.peer.Send(context.Background(), to, []byte("good")); err != nil {
			t.Error(err)
		}
		if got := b.said(); !slices.Equal(got, []string{"alice says good"}) {
			t.Errorf("bob received %q", got)
		}
		bob.leave()
		if n := strings.Count(log.String(), `"panic":"cannot read this"`); n != 2 || !strings.Contains(log.String(), "receive_test.go") {
			t.Errorf("the log has %d panics: %s", n, log.String())
		}
	})
}

// Receive stands still: the peer and its other application go on, what waits is bounded, and stopping does not
// take for ever.
func TestReceiveMayBlock(t *testing.T) {
	inLab(t, func(l *testLab) {
		var a, b mail
		blocked := make(chan struct{})
		b.receive = func(app.Member, []byte) { <-blocked }
		alice, bob := l.joined("alice", mailing(&a)), l.joined("bob", mailing(&b))
		to := alice.member(bob)
		bob.member(alice)
		from, err := bob.find("alice")
		if err != nil {
			t.Fatal(err)
		}
		for range maxWaiting + 10 { // one is with Receive
			bob.onBroadcast("mail", from, []byte("gossip"))
			<-time.After(time.Microsecond)
		}
		if n := bob.droppedFor("mail"); n != 9 {
			t.Errorf("%d broadcasts were dropped, want 9", n)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := a.peer.Send(ctx, to, nil); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), errFull.Error()) {
			t.Errorf("got %v", err)
		}
		l.joined("carol") // membership goes on
		bob.sees("alice", "bob", "carol")
		eventually(t, func() error {
			if !slices.Contains(bob.app.heard(), "carol joined") {
				return errors.New("the other application does not know of carol")
			}
			return nil
		})
		began := time.Now()
		bob.mustDo("mail stop")
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("stop took %s", took)
		}
		if _, err := bob.do("mail start"); err == nil || !strings.Contains(err.Error(), "has not returned") {
			t.Errorf("got %v: there would be two calls of Receive at a time", err)
		}
		close(blocked)
		<-time.After(time.Millisecond)
		bob.mustDo("mail start")
		if err := a.peer.Send(context.Background(), to, []byte("hello")); err != nil {
			t.Error(err)
		}
		if got := b.said(); !slices.Equal(got, []string{"alice says gossip", "alice says hello"}) {
			t.Errorf("bob received %d: %.100q", len(got), got)
		}
	})
}

// droppedFor counts the events of messages dropped for an application.
func (p *testPeer) droppedFor(application string) (n int) {
	for r := p.deps.Events.Read(0); ; {
		e, _ := r.Try()
		if e == nil {
			return n
		}
		if e.GetDropped().GetApp() == application {
			n++
		}
	}
}

// A Receive that Stop frees is no reason to wait, nor is what comes while the application starts lost.
func TestReceiveBetweenStartAndStop(t *testing.T) {
	t.Parallel()
	m := &mail{recorder: &recorder{}}
	box := newMailbox(m, zerolog.Nop())
	d, err := box.put(app.Member{Name: "alice"}, []byte("early"))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.said(); len(got) != 0 {
		t.Errorf("received %q before the start", got)
	}
	box.start()
	<-d.done
	box.close()
	if !box.wait(context.Background()) {
		t.Error("a Receive runs still")
	}
	if _, err := box.put(app.Member{Name: "alice"}, []byte("late")); !errors.Is(err, errStopped) {
		t.Errorf("got %v", err)
	}
	if got := m.said(); !slices.Equal(got, []string{"alice says early"}) {
		t.Errorf("received %q", got)
	}
	var none *mailbox // of an application that receives nothing
	none.start()
	none.close()
	if _, err := none.put(app.Member{}, nil); !errors.Is(err, errStopped) || !none.wait(context.Background()) {
		t.Errorf("got %v", err)
	}
}

func TestMailboxIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	box := newMailbox(&mail{recorder: &recorder{}}, zerolog.Nop())
	for i := range maxWaitingBytes / app.MaxSend {
		if _, err := box.put(app.Member{}, make([]byte, app.MaxSend)); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, err := box.put(app.Member{}, []byte("x")); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	box.close()
	if !box.hasEnded() {
		t.Error("it was never started, and has not ended")
	}
}

// What is sent again is known, what was given up is refused, and what stopped may come again.
func TestAcceptOnce(t *testing.T) {
	t.Parallel()
	m := &mail{recorder: &recorder{}}
	h := &host{peer: &Peer{}, app: m}
	if _, err := h.open("bob"); err != nil {
		t.Fatal(err)
	}
	accept := func(seq, oldest uint64) (*delivery, error) {
		return h.accept(app.Member{ID: "alice"}, &appv1.SendRequest{To: "bob", Seq: seq, Oldest: oldest})
	}
	first, err := accept(5, 5)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := accept(5, 5); err != nil || again != first {
		t.Errorf("the same message was queued twice: %v", err)
	}
	for _, c := range []struct {
		seq, oldest uint64
		want        error
	}{
		{4, 4, errGivenUp}, {1, 0, errNumbered}, {6, 7, errNumbered}, {5 + sendWindow, 5, errNumbered},
		{4 + sendWindow, 5, nil}, {8, 7, nil}, {6, 6, errGivenUp},
	} {
		if _, err := accept(c.seq, c.oldest); !errors.Is(err, c.want) {
			t.Errorf("seq %d, oldest %d: got %v, want %v", c.seq, c.oldest, err, c.want)
		}
	}
	if n := len(h.in.byID.byID["alice"].bySeq); n != 2 {
		t.Errorf("%d messages are remembered, want 2", n)
	}
	h.mailbox().close()
	if _, err := accept(8, 7); !errors.Is(err, errStopped) {
		t.Errorf("got %v", err)
	}
	if _, err := h.open("bob"); err != nil {
		t.Fatal(err)
	}
	if d, err := accept(8, 7); err != nil || d.stopped() {
		t.Errorf("what was not received before the stop is not accepted after it: %v", err)
	}
	if _, err := h.open("bob"); err == nil {
		t.Error("a start while the mailbox is in use")
	}
	h.in.begin("bob again")
	if _, err := accept(9, 7); !errors.Is(err, errOther) {
		t.Errorf("got %v", err)
	}
}

// Of members that nobody knows any more, nothing is kept.
func TestLedgerForgets(t *testing.T) {
	t.Parallel()
	var out outboxes
	known := map[string]bool{}
	for i := range 1000 {
		id := fmt.Sprint("member ", i)
		known[id] = true
		b := out.to(id, func(id string) bool { return known[id] })
		seq, err := b.begin(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue // this one stays under way
		}
		b.end(seq)
		delete(known, id)
	}
	if n := len(out.byID.byID); n > 40 || out.byID.byID["member 0"] == nil {
		t.Errorf("%d outboxes are kept; that of member 0: %v", n, out.byID.byID["member 0"])
	}
	if b := out.to("member 1", func(string) bool { return true }); b.last == 0 {
		t.Error("numbers begin anew for a member that may remember them")
	}
}

func TestOutboxWindow(t *testing.T) {
	t.Parallel()
	b := (&outboxes{}).to("bob", func(string) bool { return true })
	for want := range uint64(sendWindow) {
		if seq, err := b.begin(context.Background()); err != nil || seq != want+1 {
			t.Fatalf("got %d, %v", seq, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the window has no end: %v", err)
	}
	b.end(2)
	if _, err := b.begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the oldest is under way still: %v", err)
	}
	b.end(1)
	if seq, err := b.begin(ctx); err != nil || seq != sendWindow+1 || b.oldest() != 3 {
		t.Errorf("got %d, %v; the oldest is %d", seq, err, b.oldest())
	}
}
