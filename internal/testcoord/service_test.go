package testcoord

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// attachAs attaches with a Hello, and returns how that ended.
func attachAs(t *testing.T, l *lab, hello *testcoordv1.Hello) codes.Code {
	t.Helper()
	_, err := Attach(context.Background(), l.runner.client, hello, &command.Executor{Table: fakeTable(nil)}, event.New("x", 1))
	return status.Code(err)
}

func TestAttachIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "peers alice\nalice sleep 10s\n", Options{})
		if got := attachAs(t, l, &testcoordv1.Hello{Name: "alice"}); got != codes.FailedPrecondition {
			t.Errorf("before the start: %v", got)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if r, err := l.c.Run(context.Background()); err != nil || !r.OK() {
				t.Errorf("%v %+v", err, r)
			}
		}()
		time.Sleep(time.Second)
		for name, want := range map[string]codes.Code{"": codes.NotFound, "mallory\x1b[2J": codes.NotFound, "alice": codes.AlreadyExists} {
			if got := attachAs(t, l, &testcoordv1.Hello{Name: name}); got != want {
				t.Errorf("%q: %v", name, got)
			}
		}
		stream, err := l.runner.client.Attach(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(&testcoordv1.AttachRequest{What: &testcoordv1.AttachRequest_Done{}})
		if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("without a hello: %v", err)
		}
		<-done
		if got := attachAs(t, l, &testcoordv1.Hello{Name: "alice"}); got != codes.Unavailable {
			t.Errorf("after the end: %v", got)
		}
	})
}

// TestPeersOfOthers runs without a runner: the peers attach on their own, and only they themselves can begin or end.
func TestPeersOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "peers alice bob\nall init\nexpect all members alive = 2\nlab kill bob\nlab restart bob\nbob noop\nlab stop bob\nlab restart bob\n",
			Options{})
		suite, runner := l.c.suite, l.runner
		*l.c = *New(suite, Options{Out: &l.out, KeepGoing: true})
		alice, _ := runner.Start(context.Background(), "alice")
		bob, _ := runner.Start(context.Background(), "bob")
		r, err := l.c.Run(context.Background())
		wantStatuses(t, l, r, "2 ok", "3 ok", "4 FAIL", "5 FAIL", "6 ok", "7 ok", "8 FAIL")
		if err != nil {
			t.Error(err)
		}
		wantOutput(t, l, "cannot kill a peer that it did not start", "cannot restart a peer that it did not start")
		<-alice.Done()
		<-bob.Done()
	})
}

// TestEventsComeBeforeOutcomes checks that an expectation after a command sees every event that the command caused.
func TestEventsComeBeforeOutcomes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "alice noop\n", Options{})
		c, p := l.c, l.c.peers["alice"]
		c.mu.Lock()
		life := c.newLife(p, nil)
		life.session = &session{out: make(chan *testcoordv1.AttachResponse, 10), done: make(chan struct{})}
		c.mu.Unlock()
		k := c.startCall("alice", "noop", false)
		c.receive(life, &testcoordv1.AttachRequest{What: &testcoordv1.AttachRequest_Done{Done: &testcoordv1.Done{Step: k.id, EventSeq: 5}}})
		if k.over() {
			t.Error("over before its events arrived")
		}
		e := joined("alice")
		e.Seq = 2
		c.receive(life, &testcoordv1.AttachRequest{What: &testcoordv1.AttachRequest_Events{Events: &testcoordv1.Events{Events: []*eventv1.Event{e}}}})
		if k.over() {
			t.Error("over before its last event arrived")
		}
		c.receive(life, &testcoordv1.AttachRequest{What: &testcoordv1.AttachRequest_Events{Events: &testcoordv1.Events{Missed: 3}}})
		if !k.over() || p.missed != 3 {
			t.Error("lost events must not keep a command for ever")
		}
	})
}

// TestLostEvents checks that what depends on every event is not judged when some were lost.
func TestLostEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "peers alice bob\nall init\nalice noop\nexpect bob event message\nexpect bob event message x 50\nbob noop\n", Options{KeepGoing: true})
		l.runner.keep = 10
		go func() {
			time.Sleep(100 * time.Millisecond)
			alice := l.runner.get("alice")
			for i := range 50 {
				alice.group.message(alice.fakePeer, fmt.Sprint(i))
			}
		}()
		r, _ := l.c.Run(context.Background())
		wantStatuses(t, l, r, "2 ok", "3 ok", "4 ok", "5 FAIL", "6 ok")
		wantOutput(t, l, "events of bob were lost on the way, so this cannot be judged")
	})
}

// TestManyEvents sends more events than a batch, and output in many pieces, through a stream.
func TestManyEvents(t *testing.T) {
	t.Parallel()
	l, r, _ := run(t, "peers alice bob\nall init\nalice noop\nexpect bob event message x 900\nalice echo "+strings.Repeat("x", 3000)+"\n"+
		"expect alice output ~ ^x{1000}x{1000}x{1000}$\n", Options{}, func(l *lab, _ context.CancelFunc) {
		time.Sleep(time.Second)
		alice := l.runner.get("alice")
		for i := range 900 {
			alice.group.message(alice.fakePeer, fmt.Sprint(i))
		}
	})
	wantStatuses(t, l, r, "2 ok", "3 ok", "4 ok", "5 ok", "6 ok")
}

// rosters is a bootstrap service that streams sizes.
type rosters struct {
	bootstrapv1.BootstrapServiceClient
	sizes []uint32
}

func (r *rosters) Watch(ctx context.Context, _ *bootstrapv1.WatchRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[bootstrapv1.WatchResponse], error) {
	return &rosterStream{ctx: ctx, rosters: r}, nil
}

type rosterStream struct {
	grpc.ClientStream
	ctx context.Context
	*rosters
}

// Recv gives a size each second.
func (s *rosterStream) Recv() (*bootstrapv1.WatchResponse, error) {
	select {
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	case <-time.After(time.Second):
	}
	if len(s.sizes) == 0 {
		<-s.ctx.Done()
		return nil, s.ctx.Err()
	}
	n := s.sizes[0]
	s.sizes = s.sizes[1:]
	return &bootstrapv1.WatchResponse{Roster: &bootstrapv1.Roster{Count: n}}, nil
}

func TestRoster(t *testing.T) {
	t.Parallel()
	l, r, _ := run(t, "peers alice bob\nexpect all roster size = 1\nexpect alice roster size >= 2\nexpect bob within 1s roster size = 0\n",
		Options{Bootstrap: &rosters{sizes: []uint32{0, 1, 2}}}, nil)
	wantStatuses(t, l, r, "2 ok", "3 ok", "4 FAIL")
	if r.Duration != 4*time.Second {
		t.Errorf("took %s", r.Duration)
	}
	wantOutput(t, l, "roster size 2")
}

// TestCoordinatorIsLost checks that a peer whose coordinator goes away ends its commands and says so.
func TestCoordinatorIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, "alice sleep 1h\n", Options{})
		*l.c = *New(l.c.suite, Options{StepTimeout: time.Hour})
		ended := make(chan error)
		go func() {
			p := &fakePeer{name: "alice", group: l.runner.group, log: event.New("alice", 10)}
			_, err := Attach(context.Background(), l.runner.client, &testcoordv1.Hello{Name: "alice"}, &command.Executor{Table: fakeTable(p)}, p.log)
			ended <- err
		}()
		go func() {
			time.Sleep(time.Second)
			l.c.mu.Lock()
			defer l.c.mu.Unlock()
			l.c.peers["alice"].life.session.end() // as if the coordinator's process had ended
		}()
		r, _ := l.c.Run(context.Background())
		if r.OK() || len(r.Problems) != 1 {
			t.Errorf("%+v", r)
		}
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "the coordinator ended the stream") {
			t.Error(err)
		}
	})
}

func TestQuitEndsOtherCommands(t *testing.T) {
	t.Parallel()
	l, r, err := run(t, "peers alice bob\nalice,bob noop\nalice quit\nall noop\nlab sleep 10ms\nalice noop\n", Options{KeepGoing: true}, nil)
	wantStatuses(t, l, r, "2 ok", "3 ok", "4 ok", "5 ok", "6 FAIL")
	if err != nil || len(r.Problems) != 0 {
		t.Errorf("%v %+v", err, r)
	}
	wantOutput(t, l, "alice has ended (quit)")
}
