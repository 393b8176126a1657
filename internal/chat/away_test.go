package chat

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/app"
	chatv1 "peerlab.example/peerlab/proto/peerlab/chat/v1"
)

// What is queued for a member that never greets is counted, however it ends.
func TestQueuedForOneThatNeverGreetsIsCounted(t *testing.T) {
	for what, c := range map[string]struct {
		apps   []string
		end    func(r *room, alice, bob *fakePeer)
		reason string
	}{
		"lost": {[]string{name}, func(r *room, _, bob *fakePeer) { r.tell(app.WasLost, bob) }, "bob was lost"},
		"left": {[]string{name}, func(r *room, _, bob *fakePeer) { r.tell(app.HasLeft, bob) }, "bob has left"},
		// It is not known whether it would have announced the chat.
		"lost before it announced anything": {nil, func(r *room, _, bob *fakePeer) { r.tell(app.WasLost, bob) }, "bob was lost"},
		"stop": {[]string{name}, func(_ *room, alice, _ *fakePeer) {
			_ = alice.chat.Stop(context.Background())
		}, "bob was not reached before the chat stopped"},
		"announcement taken back": {[]string{name}, func(r *room, _, bob *fakePeer) {
			bob.self.Apps = nil
			r.tell(app.Updated, bob)
			bob.comeBack()
			<-time.After(10 * time.Second)
		}, "bob has left"},
	} {
		t.Run(what, func(t *testing.T) {
			inRoom(t, func(t *testing.T, r *room, alice, bob *fakePeer) {
				bob.self.Apps = c.apps
				bob.leaveNetwork()
				alice.start()
				for i := range 3 {
					alice.mustSay(fmt.Sprint("message ", i))
				}
				<-time.After(10 * time.Second)
				if n := alice.dropped(); n != 0 {
					t.Errorf("%d messages were dropped while they may wait", n)
				}
				c.end(r, alice, bob)
				if got := alice.reasons(); !slices.Equal(got, []string{c.reason, c.reason, c.reason}) {
					t.Errorf("dropped for %q", got)
				}
				if alice.chat.running() == nil {
					return
				}
				stats, err := alice.run(t, "chat stats", nil)
				if err != nil {
					t.Fatal(err)
				}
				if total := stats.(app.Table).Rows[0]; total[4] != uint64(3) {
					t.Errorf("counted: %v", total)
				}
			})
		})
	}
}

// A member may announce the chat before it starts it.
func TestMessageWaitsForOneThatIsAboutToStart(t *testing.T) {
	inRoom(t, func(t *testing.T, r *room, alice, bob *fakePeer) {
		alice.start()
		alice.mustSay("welcome")
		<-time.After(time.Minute)
		state, err := alice.run(t, "chat members", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(state.(app.Table).Rows); got != "[[bob linking bob 1]]" {
			t.Errorf("members are %s", got)
		}
		bob.start()
		bob.hears("alice", "welcome")
		r.drained()
	})
}

// The tries to link go on in short steps after an address was awaited, however long that took.
func TestRedialAfterTheAddressWasAwaited(t *testing.T) {
	inRoom(t, func(t *testing.T, r *room, alice, bob *fakePeer) {
		bob.leaveNetwork()
		bob.self.RPCAddr = ""
		alice.start() // waits for the address for a second, and tries without
		bob.self.RPCAddr = "bob"
		r.tell(app.Updated, bob)
		synctest.Wait()
		announced := time.Now()
		<-time.After(time.Second)
		alice.mu.Lock()
		defer alice.mu.Unlock()
		i := slices.IndexFunc(alice.dials, func(at time.Time) bool { return !at.Before(announced) })
		if i < 0 || len(alice.dials) < i+3 {
			t.Fatalf("dialled at %v, announced at %s", alice.dials, announced)
		}
		if first := alice.dials[i].Sub(announced); first > 0 {
			t.Errorf("the first try came %s after the address", first)
		}
	})
}

func TestFirstTriesAreClose(t *testing.T) {
	inRoom(t, func(t *testing.T, r *room, alice, bob *fakePeer) {
		bob.leaveNetwork()
		addr := bob.self.RPCAddr
		bob.self.RPCAddr, bob.self.State = "", app.Left // is not there when alice starts
		alice.start()
		bob.self.State = app.Alive
		r.tell(app.Joined, bob)
		<-time.After(courtesy + announceWait/2)
		bob.self.RPCAddr = addr
		r.tell(app.Updated, bob)
		<-time.After(time.Second)
		alice.mu.Lock()
		defer alice.mu.Unlock()
		if len(alice.dials) < 3 {
			t.Fatalf("only %d tries in a second", len(alice.dials))
		}
		for i, most := range []time.Duration{redialFirst * 3 / 2, redialFirst * 3} {
			if wait := alice.dials[i+1].Sub(alice.dials[i]); wait > most {
				t.Errorf("try %d came %s after the one before, more than %s", i+2, wait, most)
			}
		}
	})
}

// Stop opens a link where there is none, and does not wait for the next try.
func TestStopLinksToFlush(t *testing.T) {
	inRoom(t, func(t *testing.T, r *room, alice, bob *fakePeer) {
		r.start()
		bob.leaveNetwork()
		alice.leaveNetwork()
		synctest.Wait()
		for i := range 3 {
			alice.mustSay(fmt.Sprint("message ", i))
		}
		<-time.After(20 * time.Second) // the tries are seconds apart now
		bob.comeBack()
		began := time.Now()
		if err := alice.chat.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > flushWait {
			t.Errorf("stop took %s", took)
		}
		bob.hears("alice", "message 0", "message 1", "message 2")
		if got := alice.reasons(); len(got) != 0 {
			t.Errorf("dropped for %q", got)
		}
		eventually(t, func() error {
			if len(bob.lines("* alice has left")) != 1 {
				return fmt.Errorf("bob was shown %q", bob.lines("*"))
			}
			return nil
		})
	})
}

func TestStopCountsWhatDidNotArrive(t *testing.T) {
	inRoom(t, func(t *testing.T, r *room, alice, bob *fakePeer) {
		r.start()
		alice.leaveNetwork()
		bob.leaveNetwork()
		synctest.Wait()
		alice.mustSay("into the void")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		if err := alice.chat.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("stop took %s", took)
		}
		if got := alice.reasons(); !slices.Equal(got, []string{"bob was not reached before the chat stopped"}) {
			t.Errorf("dropped for %q", got)
		}
	})
}

// With nothing to say, there is nothing to wait for.
func TestStopIsAtOnceWithoutMessages(t *testing.T) {
	inRoom(t, func(t *testing.T, r *room, alice, bob *fakePeer) {
		r.start()
		alice.leaveNetwork()
		bob.leaveNetwork()
		synctest.Wait()
		began := time.Now()
		if err := alice.chat.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("stop took %s", took)
		}
	})
}

// Who calls is who it says, as far as membership knows, from the moment that it does.
func TestHelloIsChecked(t *testing.T) {
	inRoom(t, func(t *testing.T, r *room, alice, bob *fakePeer) {
		alice.start()
		run := alice.chat.running()
		if _, err := run.greeted(&chatv1.Hello{Id: bob.self.ID, Name: "mallory", Session: "s"}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("a member under another name: %v", err)
		}
		for who, last := range map[string]string{"carol": "* carol joined", "mallory": "* mallory is not who it said"} {
			s, err := run.greeted(&chatv1.Hello{Id: "id-of-" + who, Name: who, Session: "s"})
			if err != nil {
				t.Fatal(err)
			}
			l, _ := wire("id-of-" + who)
			if err := s.attach(l, &chatv1.Hello{Id: "id-of-" + who, Name: who, Session: "s"}); err != nil {
				t.Fatal(err)
			}
			s.hungUp()
			known := app.Member{ID: "id-of-" + who, Name: "carol", RPCAddr: "nowhere", State: app.Alive, Apps: []string{name}}
			alice.chat.Observe(app.MemberEvent{Change: app.Joined, Member: known})
			if got := alice.lines("* " + who); got[len(got)-1] != last {
				t.Errorf("%s: alice was shown %q", who, got)
			}
			if still := s.linked(); still != (who == "carol") {
				t.Errorf("%s: the link stays: %t", who, still)
			}
		}
	})
}
