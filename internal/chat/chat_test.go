package chat

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/app"
	chatv1 "peerlab.example/peerlab/proto/peerlab/chat/v1"
)

func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("message %d", i)
	}
	return out
}

func TestMessageRightAfterStartReachesAll(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob", "carol")
	r.start()
	for _, p := range r.peers {
		p.mustSay("test")
	}
	for _, p := range r.peers {
		for _, from := range r.peers {
			if from != p {
				p.hears(from.self.Name, "test")
			}
		}
		if own := p.lines("<" + p.self.Name + ">"); len(own) != 0 {
			t.Errorf("%s was shown its own %q", p.self.Name, own)
		}
	}
}

func TestThousandMessagesToFortyNine(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 50 {
		names = append(names, fmt.Sprintf("p%02d", i))
	}
	r := newRoom(t, names...)
	r.start()
	want := numbered(1000)
	for _, text := range want {
		r.peers[7].mustSay(text)
	}
	for i, p := range r.peers {
		if i != 7 {
			p.hears("p07", numbered(1000)...)
		}
	}
	if n := r.peers[7].dropped(); n != 0 {
		t.Errorf("%d dropped", n)
	}
}

func TestBrokenLinksLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 1))
			r := newRoom(t, "alice", "bob", "carol")
			r.start()
			for i := range 300 {
				for _, p := range r.peers {
					p.mustSay(fmt.Sprintf("message %d", i))
				}
				if rnd.IntN(20) == 0 {
					r.peers[rnd.IntN(3)].cut()
				}
			}
			for _, p := range r.peers {
				for _, from := range r.peers {
					if from != p {
						p.hears(from.self.Name, numbered(300)...)
					}
				}
			}
			r.drained()
		})
	}
}

func TestBothOpenALinkAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		r := newRoom(t, "alice", "bob")
		var starts sync.WaitGroup
		for _, p := range r.peers {
			starts.Go(p.start)
		}
		starts.Wait()
		r.tell(app.Updated, r.peers[0])
		r.tell(app.Updated, r.peers[1])
		r.peers[0].mustSay("one")
		r.peers[1].mustSay("two")
		r.peers[1].hears("alice", "one")
		r.peers[0].hears("bob", "two")
		r.close()
	}
}

func TestSlowReceiverDoesNotBlock(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob", "carol")
	r.start()
	bob := r.peers[1]
	bob.stallShow()
	long := strings.Repeat("x", MaxText-10)
	const n = 2000 // more than queue, gRPC's windows and the wire together hold
	for i := range n {
		r.peers[0].mustSay(fmt.Sprint(i, " ", long))
		if i%200 == 199 { // carol keeps up, and so must miss nothing
			eventually(t, func() error {
				if got := len(r.peers[2].lines("<alice>")); got <= i {
					return fmt.Errorf("carol heard %d of %d", got, i+1)
				}
				return nil
			})
		}
	}
	dropped := r.peers[0].dropped()
	if dropped == 0 {
		t.Fatal("nothing was dropped for the stalled receiver")
	}
	bob.unstall()
	eventually(t, func() error {
		if got := len(bob.lines("<alice>")); got != n-dropped {
			return fmt.Errorf("bob heard %d; %d sent, %d dropped", got, n, dropped)
		}
		return nil
	})
	stats, err := r.peers[0].chat.stats(context.Background(), nil, app.Args{})
	if err != nil {
		t.Fatal(err)
	}
	if row := stats.(app.Table).Rows[0]; row[0] != "bob" || row[4] != uint64(dropped) {
		t.Errorf("stats of bob are %v, want %d dropped", row, dropped)
	}
}

func TestHostileText(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob")
	r.start()
	for text, want := range map[string]string{
		"":                                "empty",
		"\x1b\x07":                        "empty",
		strings.Repeat("x", MaxText+1):    "8193 bytes; 8192 is the most",
		"\x1b[31mred\x07 \u202eevil\n2nd": "",
		"broken \xff":                     "",
	} {
		err := r.peers[0].say(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20q: got %v, want %q", text, err, want)
		}
	}
	eventually(t, func() error {
		if got := r.peers[1].lines("<alice>"); len(got) != 2 {
			return fmt.Errorf("bob heard %q", got)
		}
		return nil
	})
	got := strings.Join(r.peers[1].lines("<alice>"), "|")
	if !strings.Contains(got, "<alice> [31mred evil 2nd") || !strings.Contains(got, "<alice> broken \ufffd") {
		t.Errorf("bob was shown %q", got)
	}
	// A sender that is not this program does not clean its text.
	s := newSession(r.peers[1].chat.running(), app.Member{ID: "x", Name: "mallory"})
	if err := s.deliver(&chatv1.Message{Seq: 1, Text: "\x1b[2Jgone"}); err != nil {
		t.Error(err)
	}
	if got := r.peers[1].lines("mallory"); len(got) != 1 || got[0] != "<mallory> [2Jgone" {
		t.Errorf("bob was shown %q", got)
	}
	if err := s.deliver(&chatv1.Message{Seq: 3, Text: "gap"}); err == nil {
		t.Error("a gap was taken")
	}
}

func TestComingAndGoing(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob", "carol")
	r.start()
	alice, bob, carol := r.peers[0], r.peers[1], r.peers[2]
	expect := func(line string) {
		t.Helper()
		eventually(t, func() error {
			if len(alice.lines(line)) != 1 {
				return fmt.Errorf("%q was shown %d times: %q", line, len(alice.lines(line)), alice.lines("*"))
			}
			return nil
		})
	}
	expect("* bob joined")
	expect("* carol joined")
	bob.mustSay("last words")
	if err := bob.chat.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	alice.hears("bob", "last words")
	expect("* bob is leaving")
	expect("* bob has left")
	r.tell(app.HasLeft, bob)
	r.tell(app.WasLost, carol)
	expect("* carol was lost")
	expect("* bob has left")
	if err := bob.say("too late"); !errors.Is(err, app.ErrNotStarted) {
		t.Errorf("got %v", err)
	}
}

func TestRestartIsANewTalk(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob")
	r.start()
	alice, bob := r.peers[0], r.peers[1]
	for i := range 3 {
		bob.mustSay(fmt.Sprint("before ", i))
		alice.mustSay(fmt.Sprint("to bob ", i))
		if err := bob.chat.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if got := len(alice.lines("* bob has left")); got != i+1 {
				return fmt.Errorf("bob has left %d times", got)
			}
			return nil
		})
		bob.start()
	}
	bob.mustSay("after")
	alice.hears("bob", "before 0", "before 1", "before 2", "after")
}

// One side may lose the other while the other notices nothing. What is said from then on arrives, and once.
func TestTalkLostOnOneSideOnly(t *testing.T) {
	t.Parallel()
	for _, lost := range []int{0, 1} {
		r := newRoom(t, "alice", "bob")
		r.start()
		alice, bob := r.peers[0], r.peers[1]
		for i := range 5 {
			alice.mustSay(fmt.Sprint("before ", i))
			bob.mustSay(fmt.Sprint("before ", i))
		}
		alice.hears("bob", "before 0", "before 1", "before 2", "before 3", "before 4")
		bob.hears("alice", "before 0", "before 1", "before 2", "before 3", "before 4")
		r.tell(app.WasLost, r.peers[lost])
		r.tell(app.Recovered, r.peers[lost])
		r.peers[1-lost].mustSay("after")
		r.peers[lost].hears(r.peers[1-lost].self.Name, "before 0", "before 1", "before 2", "before 3", "before 4", "after")
		eventually(t, func() error {
			if n := len(r.peers[1-lost].lines("* " + r.peers[lost].self.Name + " joined")); n != 2 {
				return fmt.Errorf("joined %d times", n)
			}
			return nil
		})
		r.peers[lost].mustSay("me too")
		r.peers[1-lost].hears(r.peers[lost].self.Name, "before 0", "before 1", "before 2", "before 3", "before 4", "me too")
		r.drained()
	}
}

// Who does not run the chat misses nothing, and is not missed.
func TestMemberWithoutTheChatIsNoReceiver(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob")
	alice := r.peers[0]
	r.peers[1].self.Apps = nil
	alice.start()
	r.tell(app.Joined, r.peers[1])
	out, err := alice.chat.msg(context.Background(), nil, app.NewArgs(map[string][]string{"text": {"hello"}}, nil))
	if err != nil || out != "nobody else is in the chat" {
		t.Errorf("got %v, %v", out, err)
	}
	eventually(t, func() error {
		if n := len(alice.chat.running().all()); n != 0 {
			return fmt.Errorf("%d sessions", n)
		}
		return nil
	})
	if n := alice.dropped(); n != 0 {
		t.Errorf("%d messages were dropped", n)
	}
}

// A stranger that membership does not know is forgotten with its link.
func TestNobodyStaysWhoIsNoMember(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob")
	alice, bob := r.peers[0], r.peers[1]
	bob.self.Apps = nil
	alice.start()
	conn, err := bob.Dial(alice.self)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := chatv1.NewChatServiceClient(conn).Link(ctx)
	if err != nil {
		t.Fatal(err)
	}
	hello := &chatv1.Hello{Id: "ghost", Name: "ghost", Session: "s"}
	if err := stream.Send(&chatv1.LinkRequest{Frame: &chatv1.Frame{What: &chatv1.Frame_Hello{Hello: hello}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	eventually(t, func() error {
		if len(alice.lines("* ghost has left")) != 1 || len(alice.chat.running().all()) != 0 {
			return fmt.Errorf("alice was shown %q", alice.lines("*"))
		}
		return nil
	})
}

func TestLinkRefusesStrangeHellos(t *testing.T) {
	t.Parallel()
	r := newRoom(t, "alice", "bob")
	alice, bob := r.peers[0], r.peers[1]
	conn, err := bob.Dial(alice.self)
	if err != nil {
		t.Fatal(err)
	}
	try := func(f *chatv1.Frame) codes.Code {
		stream, err := chatv1.NewChatServiceClient(conn).Link(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(&chatv1.LinkRequest{Frame: f}) // the answer tells
		_, err = stream.Recv()
		return status.Code(err)
	}
	hello := func(id, session string) *chatv1.Frame {
		return &chatv1.Frame{What: &chatv1.Frame_Hello{Hello: &chatv1.Hello{Id: id, Name: "x", Session: session}}}
	}
	long := hello("x", "s")
	long.GetHello().Name = strings.Repeat("x", maxWord+1)
	if c := try(hello("id-1", "s")); c != codes.FailedPrecondition {
		t.Errorf("before the start: %v", c)
	}
	alice.start()
	for what, f := range map[string]*chatv1.Frame{
		"no hello": {What: &chatv1.Frame_Ack{Ack: &chatv1.Ack{}}}, "no frame": nil,
		"no id": hello("", "s"), "no session": hello("x", ""), "own id": hello(alice.self.ID, "s"),
		"id of another": hello(bob.self.ID, "s"), "long id": hello(long.GetHello().GetName(), "s"), "long name": long,
	} {
		if c := try(f); c != codes.InvalidArgument {
			t.Errorf("%s: %v", what, c)
		}
	}
}
