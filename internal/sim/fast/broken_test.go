package fast

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/sim"
)

// brittle is an application with commands that break a simulation.
type brittle struct {
	never chan struct{} // not of a bubble, so that the clock of a bubble does not move while somebody waits for it
	stuck chan struct{} // closed when somebody does
	ended chan struct{} // closed when the process is to end
}

func (*brittle) Name() string { return "brittle" }

func (b *brittle) Commands() []app.Spec {
	spec := func(name string, run func()) app.Spec {
		return app.Spec{Name: name, Group: "brittle", Summary: "for tests", Example: name, Run: func(context.Context, *app.Env, app.Args) (any, error) {
			run()
			return nil, nil
		}}
	}
	return []app.Spec{spec("crash", crash), spec("leak", leak), spec("stick", b.stick), spec("tell-and-stick", b.tellAndStick)}
}

func (*brittle) Start(context.Context, app.Peer) error { return nil }

func (*brittle) Stop(context.Context) error { return nil }

// crash panics where nobody can recover.
func crash() { go panic("not today") }

// leak leaves something behind that nothing will wake.
func leak() { go func() { <-make(chan struct{}) }() }

// stick stands still.
func (b *brittle) stick() {
	close(b.stuck)
	<-b.never
}

// tellAndStick stands still when the process is to end, and tells before that it waits for it.
func (b *brittle) tellAndStick() {
	_, _ = os.NewFile(3, "told").WriteString("now\n")
	<-b.ended
	b.stick()
}

func TestBroken(t *testing.T) {
	for _, tt := range []struct{ command, why, where string }{
		{"crash", "panic: not today", "fast.crash"},
		{"stick", "fatal error: nothing has moved for 2m0s", "stick"},
		{"leak", "fatal error: deadlock", "leak"},
	} {
		t.Run(tt.command, func(t *testing.T) {
			t.Parallel()
			s := spec("peers alice\nalice echo before\nalice " + tt.command + "\n")
			s.Seed = 7
			o, err := Run(t.Context(), itself, s, io.Discard)
			var broke *sim.BrokenError
			if o != nil || !errors.As(err, &broke) {
				t.Fatal(o, err)
			}
			if broke.Seed != 7 || !strings.HasPrefix(broke.Why, tt.why) || !strings.Contains(broke.Stacks, tt.where) {
				t.Error(err)
			}
		})
	}
}

// TestStuckAndStopped ends a run that stands still.
func TestStuckAndStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	go func() {
		_, _ = read.Read(make([]byte, 1))
		cancel(enough)
	}()
	o, err := Run(ctx, func() (*exec.Cmd, error) {
		cmd, err := itself()
		cmd.ExtraFiles = []*os.File{write}
		return cmd, err
	}, spec("peers alice\nalice tell-and-stick\n"), io.Discard)
	if o != nil || !errors.Is(err, enough) {
		t.Error(o, err)
	}
}
