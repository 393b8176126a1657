package fast

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/chat"
	"peerlab.example/peerlab/internal/sim"
	"peerlab.example/peerlab/internal/testcoord"
)

// TestMain is also the guest of the tests.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, guestMode) {
		os.Exit(guestOfTests())
	}
	goleak.VerifyTestMain(m)
}

func spec(src string) *sim.Spec {
	return &sim.Spec{File: "x.lab", Sources: map[string][]byte{"x.lab": []byte(src)}, Seed: 1, Gossip: "fast"}
}

// guestMode is the argument of a test binary that is to be a guest.
const guestMode = "guest-of-tests"

func itself() (*exec.Cmd, error) {
	path, err := os.Executable()
	return exec.Command(path, guestMode), err
}

// guestOfTests has an application that breaks, beside the chat. Whether it moves is looked at when it is known to stand still.
func guestOfTests() int {
	b := &brittle{stdout: os.Stdout, never: make(chan struct{}), stuck: make(chan struct{}), ended: make(chan struct{})}
	ticks := make(chan time.Time)
	go func() {
		for <-b.stuck; ; {
			ticks <- time.Time{}
		}
	}()
	in := &untilEnd{os.Stdin, b.ended}
	return guest(in, os.Stdout, os.Stderr, []func() app.App{func() app.App { return chat.New() }, func() app.App { return b }}, ticks)
}

// untilEnd closes a channel at the end of what is read.
type untilEnd struct {
	io.Reader
	ended chan struct{}
}

func (u *untilEnd) Read(b []byte) (int, error) {
	n, err := u.Reader.Read(b)
	if err != nil {
		close(u.ended)
	}
	return n, err
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	o, err := Run(t.Context(), itself, spec("peers alice bob\nall init\nlab sleep 1h\nexpect all members alive = 2\n"), &out)
	if err != nil || !o.Result.OK() || o.Log.End < time.Hour || !strings.Contains(out.String(), "PASS") {
		t.Errorf("%v %v\n%s", err, o, &out)
	}
}

// TestStopped ends a run from outside of its time.
func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	enough := errors.New("enough")
	s := spec("peers alice bob\nall init\nlab sleep 1000h\n")
	s.Observer = atStep{text: "lab sleep 1000h", do: func() { cancel(enough) }}
	o, err := Run(ctx, itself, s, io.Discard)
	if !errors.Is(err, enough) || o == nil || !o.Result.Interrupted {
		t.Error(o, err)
	}
}

// atStep does something when a step begins.
type atStep struct {
	testcoord.Nobody
	text string
	do   func()
}

func (a atStep) StepBegins(s testcoord.StepRecord) {
	if s.Text == a.text {
		a.do()
	}
}
