package fast

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/sim"
)

// brittle is an application with commands that break a simulation, or that a simulation bears.
type brittle struct {
	stdout *os.File      // as it was before the guest began
	never  chan struct{} // not of a bubble, so that the clock of a bubble does not move while somebody waits for it
	stuck  chan struct{} // closed when somebody does
	ended  chan struct{} // closed when the process is to end
}

func (*brittle) Name() string { return "brittle" }

func (b *brittle) Commands() []app.Spec {
	spec := func(name string, run func()) app.Spec {
		return app.Spec{Name: name, Group: "brittle", Summary: "for tests", Example: name, Run: func(context.Context, *app.Env, app.Args) (any, error) {
			run()
			return nil, nil
		}}
	}
	return []app.Spec{
		spec("crash", crash), spec("leak", leak), spec("tick", tick), spec("stick", b.stick), spec("tell-and-stick", b.tellAndStick),
		spec("end0", func() { os.Exit(0) }), spec("end3", func() { os.Exit(3) }), spec("print", b.print),
	}
}

func (*brittle) Start(context.Context, app.Peer) error { return nil }

func (*brittle) Stop(context.Context) error { return nil }

// crash panics where nobody can recover.
func crash() { go panic("not today") }

// leak leaves something behind that nothing will wake.
func leak() { go func() { <-make(chan struct{}) }() }

// tick leaves something behind that wakes for ever.
func tick() {
	go func() {
		for range time.Tick(time.Minute) {
			runtime.Gosched()
		}
	}()
}

// print writes where frames are written.
func (b *brittle) print() {
	for _, f := range []*os.File{os.Stdout, b.stdout} {
		_, _ = f.WriteString("some of it\n")
	}
}

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
		{"end0", "it ended with exit code 0, without an outcome", ""},
		{"end3", "it ended without an outcome", "exit status 3"},
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

// TestLeftBehind has commands that leave goroutines behind, after which nothing else is wrong.
func TestLeftBehind(t *testing.T) {
	for _, tt := range []struct{ name, commands, note string }{
		{"leak", "alice leak\nbob leak\n", "note goroutines that have not ended with their peers: 2, begun by fast.leak\n"},
		{"tick", "alice tick\n", "note goroutines that have not ended with their peers: 1, begun by fast.tick\n"},
		{"nothing", "alice echo\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			o, err := Run(t.Context(), itself, spec("peers alice bob\nall init\n"+tt.commands+"lab sleep 1h\nexpect all members alive = 2\n"), &out)
			if err != nil || !o.Result.OK() || !strings.Contains(out.String(), tt.note) || tt.note == "" && strings.Contains(out.String(), "note") {
				t.Errorf("%v\n%s", err, &out)
			}
		})
	}
}

// TestPrints has a command that writes to the standard output, where the frames are.
func TestPrints(t *testing.T) {
	var out strings.Builder
	o, err := Run(t.Context(), itself, spec("peers alice\nalice print\nalice echo after\n"), &out)
	if err != nil || !o.Result.OK() || len(o.Result.Steps) != 2 {
		t.Errorf("%v\n%s", err, &out)
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
