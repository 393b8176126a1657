package testcoord

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// openLab is a lab whose peers others start; see comes and goes.
func openLab(t *testing.T, src string, opt Options) *lab {
	t.Helper()
	l := newLab(t, src, Options{})
	opt.Out = &l.out
	opt.Invite = func(name string) string { return "start --name " + name }
	*l.c = *New(l.c.suite, opt)
	return l
}

// comes attaches a peer, and returns how to make it go, and how its part ended.
func comes(l *lab, name string) (goes context.CancelFunc, ended <-chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	ch := make(chan error, 1)
	p := &fakePeer{name: name, group: l.runner.group, log: event.New(name, 1000)}
	go func() {
		_, err := Attach(ctx, l.runner.client, &testcoordv1.Hello{Name: name}, &command.Executor{Table: fakeTable(p)}, p.log)
		ch <- err
	}()
	synctest.Wait()
	return cancel, ch
}

// TestPeersAreWaitedFor checks what is told while peers come, go and come again, and that the run then has nothing of what
// was before. It takes longer than the suite may, which is not the suite's time.
func TestPeersAreWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := openLab(t, "timeout 1m\npeers alice bob carol\nall init\nexpect all members alive = 3\nexpect alice event joined x 3\n", Options{StartTimeout: time.Hour})
		_, bob := comes(l, "bob")
		done := make(chan *Result)
		go func() {
			r, err := l.c.Run(context.Background())
			if err != nil {
				t.Error(err)
			}
			done <- r
		}()
		time.Sleep(time.Minute)
		alicesFirst, first := comes(l, "alice")
		synctest.Wait()
		for name, want := range map[string]codes.Code{"alice": codes.AlreadyExists, "dave": codes.NotFound} {
			if got := attachAs(t, l, &testcoordv1.Hello{Name: name}); got != want {
				t.Errorf("%s: %v", name, got)
			}
		}
		time.Sleep(time.Minute)
		alicesFirst()
		if err := <-first; err == nil {
			t.Error("the first alice was not interrupted")
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		_, carol := comes(l, "carol")
		_, alice := comes(l, "alice")
		r := <-done
		wantStatuses(t, l, r, "3 ok", "4 ok", "5 ok")
		if len(r.Problems) > 0 || r.Ready != 3*time.Minute {
			t.Errorf("%+v", r)
		}
		for _, ended := range []<-chan error{alice, bob, carol} {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if log, _ := l.c.Log(); len(log.Lives) != 3 {
			t.Errorf("%+v", log.Lives)
		}
		wantOutput(t, l, "attached: bob\nwaiting for alice, carol, for at most 1h0m0s\n  start --name alice\n  start --name carol\n",
			"attached alice (2 of 3; waiting for carol)\n", "alice has gone again (1 of 3; waiting for alice, carol)\n", "attached carol (2 of 3; waiting for alice)\n",
			"attached alice (3 of 3)\n", `refused "alice" from `, `peer "alice" is attached already`,
			`the suite has no peer "dave", but alice, bob, carol`)
	})
}

func TestPeersThatNobodyStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := openLab(t, "peers alice bob carol\nall init\ncleanup\n  all noop\nend\n", Options{StartTimeout: time.Minute})
		_, bob := comes(l, "bob")
		r, err := l.c.Run(context.Background())
		if err == nil || err.Error() != "not attached within 1m0s: alice, carol" {
			t.Error(err)
		}
		wantStatuses(t, l, r, "2 skip", "4 skip")
		if r.OK() || len(r.Problems) != 1 || r.Duration != time.Minute {
			t.Errorf("%+v", r)
		}
		wantOutput(t, l, "FAIL not attached within 1m0s: alice, carol\n     | start such a peer with: start --name alice\n")
		if err := <-bob; err != nil { // it was told that the run is over
			t.Error(err)
		}
	})
}

func TestInterruptedWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := openLab(t, "peers alice bob\nall init\n", Options{})
		_, alice := comes(l, "alice")
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(time.Second, func() { cancel(why) })
		r, err := l.c.Run(ctx)
		if !errors.Is(err, why) || !r.Interrupted || len(r.Problems) > 0 {
			t.Errorf("%v %+v", err, r)
		}
		if err := <-alice; err != nil {
			t.Error(err)
		}
	})
}

// TestRefusals checks that who tries in a loop does not flood the screen, nor inject into it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := openLab(t, "peers alice\nalice noop\n", Options{StartTimeout: time.Minute})
		var err error
		for range 3 * refusalsTold {
			p := &fakePeer{name: "x", group: l.runner.group, log: event.New("x", 10)}
			_, err = Attach(context.Background(), l.runner.client, &testcoordv1.Hello{Name: "\x1b[2Jmallory\nFAIL " + strings.Repeat("x", 10000)}, &command.Executor{Table: fakeTable(p)}, p.log,
				func() { t.Error("attached") })
		}
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "refused: the suite has no peer") {
			t.Error(err)
		}
		_, alice := comes(l, "alice")
		r, err := l.c.Run(context.Background())
		if err != nil || !r.OK() {
			t.Errorf("%v %+v", err, r)
		}
		if n := strings.Count(l.out.String(), "note refused"); n != refusalsTold || len(l.out.String()) > 20000 || strings.Contains(l.out.String(), "\x1b") {
			t.Errorf("%d told:\n%q", n, l.out.String())
		}
		wantOutput(t, l, "further peers that are refused are not told")
		if err := <-alice; err != nil {
			t.Error(err)
		}
	})
}

// TestManyAreWaitedFor checks that a long list is not shown in full.
func TestManyAreWaitedFor(t *testing.T) {
	t.Parallel()
	l := openLab(t, "peers p[1..100]\nall noop\n", Options{StartTimeout: time.Millisecond})
	r, err := l.c.Run(context.Background())
	if err == nil || r.OK() {
		t.Errorf("%v %+v", err, r)
	}
	wantOutput(t, l, fmt.Sprintf("p12 and %d more, for at most 1ms", 100-namesShown), fmt.Sprintf("  … and so on for the other %d\n", 100-namesShown))
}

func TestRunWithoutAnAbility(t *testing.T) {
	t.Parallel()
	opt := ParseOptions{Table: fakeTable(nil), Runner: "attach", Without: []Ability{CanBootstrap}}
	_, err := ParseWith("x.lab", []byte("alice noop\nlab bootstrap stop\nlab freeze alice\n[process] lab bootstrap stop\n"), opt)
	for _, want := range []string{"x.lab:2:5: this run cannot control the bootstrap service", `x.lab:3:5: the runner "attach" cannot freeze a peer`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if errs := (Errors)(nil); !errors.As(err, &errs) || len(errs) != 2 {
		t.Error(err)
	}
}
