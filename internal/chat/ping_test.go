package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"peerlab.example/peerlab/app"
	chatv1 "peerlab.example/peerlab/proto/peerlab/chat/v1"
)

// pinged is the table of chat ping, a row a line.
func (p *fakePeer) pinged(t *testing.T) string {
	t.Helper()
	out, err := p.run(t, "chat ping", nil)
	if err != nil {
		t.Fatal(err)
	}
	table, ok := out.(app.Table)
	if !ok {
		return fmt.Sprint(out)
	}
	var lines []string
	for _, row := range table.Rows {
		lines = append(lines, strings.TrimSuffix(fmt.Sprintln(row...), "\n"))
	}
	return strings.Join(lines, "\n")
}

func TestPing(t *testing.T) {
	inRoom(t, func(t *testing.T, r *room, alice, bob *fakePeer) {
		if _, err := alice.run(t, "chat ping", nil); !errors.Is(err, app.ErrNotStarted) {
			t.Errorf("before the start: %v", err)
		}
		r.start()
		if got := alice.pinged(t); got != "bob 0s <nil>" {
			t.Errorf("got %q", got)
		}
		out, err := alice.run(t, "chat member-ping", map[string]string{"name": "bob"})
		if got := fmt.Sprint(out); err != nil || got != "[{name bob} {rtt 0s}]" {
			t.Errorf("got %s, %v", got, err)
		}
		for who, want := range map[string]string{"alice": "alice is this peer", "dave": "dave is not in the chat; there are: bob"} {
			if _, err := alice.run(t, "chat member-ping", map[string]string{"name": who}); err == nil || err.Error() != want {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		r.tell(app.HasLeft, bob)
		if got := alice.pinged(t); got != "nobody else is in the chat" {
			t.Errorf("got %q", got)
		}
	})
}

// A peer that stands still has no answer; the time is up, or the command is cancelled.
func TestPingIsNotAnswered(t *testing.T) {
	inRoom(t, func(t *testing.T, r *room, alice, bob *fakePeer) {
		r.start()
		bob.stallShow()
		alice.mustSay("hello")
		synctest.Wait() // a ping passes what is not on the link yet
		began := time.Now()
		if got := alice.pinged(t); got != "bob <nil> no answer" || time.Since(began) != pingWait {
			t.Errorf("got %q after %s", got, time.Since(began))
		}
		_, err := alice.run(t, "chat member-ping", map[string]string{"name": "bob", "timeout": "100ms"})
		if err == nil || err.Error() != "bob: no answer" {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		stop := time.AfterFunc(time.Second, cancel)
		defer stop.Stop()
		if _, err := alice.runIn(ctx, t, "chat ping", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		answered := time.AfterFunc(300*time.Millisecond, bob.unstall)
		defer answered.Stop()
		if got := alice.pinged(t); got != "bob 300ms <nil>" {
			t.Errorf("got %q", got)
		}
		alice.chat.running().all()[0].mu.Lock()
		defer alice.chat.running().all()[0].mu.Unlock()
		if n := len(alice.chat.running().all()[0].pings); n != 0 {
			t.Errorf("%d pings are kept", n)
		}
	})
}

func TestPingWithoutALink(t *testing.T) {
	inRoom(t, func(t *testing.T, r *room, alice, bob *fakePeer) {
		r.start()
		alice.leaveNetwork()
		bob.leaveNetwork()
		synctest.Wait()
		if got := alice.pinged(t); got != "bob <nil> no answer: there is no link" {
			t.Errorf("got %q", got)
		}
		back := time.AfterFunc(200*time.Millisecond, bob.comeBack)
		defer back.Stop()
		out, err := alice.run(t, "chat ping", map[string]string{"timeout": "10s"})
		if err != nil {
			t.Fatal(err)
		}
		row := out.(app.Table).Rows[0]
		if rtt, ok := row[1].(time.Duration); !ok || rtt < 200*time.Millisecond {
			t.Errorf("got %v: the time without a link counts", row)
		}
		gone := time.AfterFunc(time.Second, func() { r.tell(app.WasLost, bob) })
		defer gone.Stop()
		bob.leaveNetwork()
		alice.leaveNetwork()
		synctest.Wait()
		if got := alice.pinged(t); got != "bob <nil> it has left" {
			t.Errorf("got %q", got)
		}
	})
}

// A ping that a broken link lost is asked again on the next; and who asks without end gets a bounded number of answers.
func TestPingFrames(t *testing.T) {
	inRoom(t, func(t *testing.T, _ *room, alice, bob *fakePeer) {
		bob.leaveNetwork()
		alice.start()
		s, _ := alice.chat.running().session(bob.self)
		hello := &chatv1.Hello{Id: bob.self.ID, Name: "bob", Session: "b1"}
		attach := func() chan *chatv1.Frame {
			l, out := wire(bob.self.ID)
			if err := s.attach(l, hello); err != nil {
				t.Fatal(err)
			}
			return out
		}
		first := attach()
		var answer any
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			answer, _ = alice.run(t, "chat ping", nil)
		}()
		id := (<-first).GetPing().GetId()
		second := attach()
		if again := (<-second).GetPing().GetId(); again != id || id == 0 {
			t.Errorf("ping %d, and on the next link %d", id, again)
		}
		s.ponged(id + 1) // nobody asked
		s.ponged(id)
		<-asked
		if row := answer.(app.Table).Rows[0]; row[2] != nil {
			t.Errorf("got %v", row)
		}
		unlinked := newSession(alice.chat.running(), bob.self) // nothing takes its answers
		for i := range uint64(100) {
			unlinked.pinged(nil, i)
		}
		if n := len(unlinked.pongs); n != maxPongs {
			t.Errorf("%d answers wait", n)
		}
	})
}
