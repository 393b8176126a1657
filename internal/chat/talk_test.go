package chat

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/app"
	chatv1 "peerlab.example/peerlab/proto/peerlab/chat/v1"
)

// wire is a link whose far end is the test.
func wire(opener string) (*link, chan *chatv1.Frame) {
	out := make(chan *chatv1.Frame, 1000)
	done := make(chan struct{})
	l := newLink(opener,
		func(f *chatv1.Frame) error { out <- f; return nil },
		func() (*chatv1.Frame, error) { <-done; return nil, fmt.Errorf("closed") },
		func() { close(done) })
	return l, out
}

func nextMessage(t *testing.T, out chan *chatv1.Frame) *chatv1.Message {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case f := <-out:
			if m := f.GetMessage(); m != nil {
				return m
			}
		case <-late:
			t.Fatal("no message")
		}
	}
}

// A hello composed before the other link was up (both dial at once) must not restart the numbers.
func TestHelloFromBeforeTheOtherLink(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob")
	alice := r.peers[0]
	alice.start()
	run := alice.chat.running()
	s, _ := run.session(app.Member{ID: "id-001", Name: "bob", RPCAddr: "nowhere", State: app.Alive})
	hello := &chatv1.Hello{Id: "id-001", Name: "bob", Session: "b1"} // composed twice, before alice's was read
	l1, out1 := wire("id-001")
	if err := s.attach(l1, hello); err != nil {
		t.Fatal(err)
	}
	alice.mustSay("one")
	nextMessage(t, out1)
	s.mu.Lock()
	s.acknowledge(1)
	s.mu.Unlock()
	l2, out2 := wire("id-000")
	if err := s.attach(l2, hello); err != nil {
		t.Fatal(err)
	}
	alice.mustSay("two")
	if m := nextMessage(t, out2); m.GetSeq() != 2 {
		t.Errorf("%q has seq %d: the receiver, which has delivered 1, takes it for a repetition", m.GetText(), m.GetSeq())
	}
}

// The other forgot the talk and calls; the old link, which this side opened, is half open still.
func TestNewTalkWhileTheOldLinkLingers(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob")
	alice := r.peers[0]
	alice.start()
	run := alice.chat.running()
	s, _ := run.session(app.Member{ID: "id-001", Name: "bob", RPCAddr: "nowhere", State: app.Alive})
	l1, out1 := wire("id-000") // alice opened
	if err := s.attach(l1, &chatv1.Hello{Id: "id-001", Name: "bob", Session: "b1"}); err != nil {
		t.Fatal(err)
	}
	alice.mustSay("one")
	nextMessage(t, out1)
	s.mu.Lock()
	s.acknowledge(1)
	s.mu.Unlock()
	l2, _ := wire("id-001")
	if err := s.attach(l2, &chatv1.Hello{Id: "id-001", Name: "bob", Session: "b2"}); err != nil {
		t.Errorf("the new talk is refused for the sake of the old one: %v", err)
	}
	l3, out3 := wire("id-000")
	if err := s.attach(l3, &chatv1.Hello{Id: "id-001", Name: "bob", Session: "b2", PeerSession: s.token}); err != nil {
		t.Fatal(err)
	}
	alice.mustSay("two")
	if m := nextMessage(t, out3); m.GetSeq() != 1 {
		t.Errorf("%q has seq %d, but the new talk waits for 1: the receiver gives up every link from now on", m.GetText(), m.GetSeq())
	}
}

// Cleaning makes text longer.
func TestTextThatGrowsIsRefused(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob")
	r.start()
	if err := r.peers[0].say(strings.Repeat("a\xff", MaxText/2)); err == nil || !strings.Contains(err.Error(), "8192 is the most") {
		t.Errorf("got %v", err)
	}
	r.peers[0].mustSay("after")
	r.peers[1].hears("alice", "after")
}

// The id of a message is said to be the same everywhere, so it must be of one message only.
func TestIDsAreOfOneMessage(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob")
	r.start()
	r.peers[0].mustSay("one")
	r.peers[1].hears("alice", "one")
	if err := r.peers[0].chat.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.peers[0].start()
	r.peers[0].mustSay("two")
	r.peers[1].hears("alice", "one", "two")
	seen := map[string]string{}
	r.peers[1].mu.Lock()
	defer r.peers[1].mu.Unlock()
	for _, e := range r.peers[1].events {
		if m := e.GetMessage(); m != nil {
			if was, ok := seen[m.GetId()]; ok {
				t.Errorf("id %s is of %q and of %q", m.GetId(), was, m.GetText())
			}
			seen[m.GetId()] = m.GetText()
		}
	}
}

// Names are peers' text.
func TestHostileMemberName(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "mallory")
	r.peers[1].self.Name = "mal\x1b[2Jlory"
	r.start()
	r.peers[1].mustSay("hi")
	eventually(t, func() error {
		if len(r.peers[0].lines("hi")) == 0 {
			return fmt.Errorf("nothing yet")
		}
		return nil
	})
	st, _ := r.peers[0].chat.stats(context.Background(), nil, app.Args{})
	for _, l := range append(r.peers[0].lines("lory"), fmt.Sprint(st)) {
		if strings.ContainsRune(l, 0x1b) {
			t.Errorf("%q", l)
		}
	}
}

// Who is being greeted takes part, even if it was found absent a moment ago.
func TestCallerIsNotFoundAbsent(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob")
	r.peers[1].self.Apps = nil
	r.peers[0].start()
	run := r.peers[0].chat.running()
	s, err := run.greeted(&chatv1.Hello{Id: "id-001", Name: "bob", Session: "b1"})
	if err != nil {
		t.Fatal(err)
	}
	if run.endAbsent(s) {
		t.Error("the session of a caller was ended")
	}
	s.hungUp()
	if !run.endAbsent(s) {
		t.Error("the session of one that has hung up, and is not in the chat, was kept")
	}
}

// An acknowledgement may come too late for the talk it belongs to; the next talk repeats nothing for that.
func TestNextTalkRepeatsNothing(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob")
	r.peers[0].start()
	run := r.peers[0].chat.running()
	bob := app.Member{ID: "id-001", Name: "bob", RPCAddr: "nowhere", State: app.Alive}
	talk := func(texts ...*chatv1.Message) {
		t.Helper()
		s, _ := run.session(bob)
		for _, m := range texts {
			if err := s.deliver(m); err != nil {
				t.Error(err)
			}
		}
		run.end(s, "was lost")
	}
	talk(&chatv1.Message{Seq: 1, Number: 4, Text: "one"}, &chatv1.Message{Seq: 2, Number: 5, Text: "two"})
	talk(&chatv1.Message{Seq: 1, Number: 5, Text: "two"}, &chatv1.Message{Seq: 2, Number: 6, Text: "three"})
	r.peers[0].hears("bob", "one", "two", "three")
}
