package peer

import (
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/app"
)

// Every command while init waits for a bootstrap service that is not there: none hangs, those that cannot run yet say what is
// waited for, and the ways out end the waiting.
func TestEveryStepWhileInitWaits(t *testing.T) {
	inLab(t, func(l *testLab) {
		l.stopService()
		for _, s := range append(steps(), step{line: "member leave --timeout 1s"}, step{line: "member delete"}) {
			w := l.walker("lone")
			done := make(chan error, 1)
			go func() { done <- w.Init(context.Background(), t.Logf) }()
			<-time.After(10 * time.Second)
			start := time.Now()
			o := w.run.Execute(context.Background(), s.line, &app.Env{Out: io.Discard})
			if took := time.Since(start); took > 2*stepPatience {
				t.Errorf("%s: took %v", s.line, took)
			}
			waited := o.Err != nil && strings.Contains(o.Err.Error(), serviceAddr+", which is not reachable; start the service, or end the waiting with member leave")
			out := slices.Contains([]string{"member leave", "member leave --timeout 1s", "member shutdown", "member delete"}, s.line)
			switch {
			case out && o.Err != nil:
				t.Errorf("%s: %v", s.line, o.Err)
			case out:
				if err := <-done; !errors.Is(err, ErrInterrupted) || w.state() != "configured" {
					t.Errorf("after %s init ended with %v, and the peer is %s", s.line, err, w.state())
				}
				if o := w.run.Execute(context.Background(), s.line, &app.Env{Out: io.Discard}); o.Err == nil {
					t.Errorf("%s twice is no error", s.line)
				}
			case !waited && isStep(s.line):
				t.Errorf("%s: %v", s.line, o.Err)
			}
			w.crash()
			if !out {
				_ = <-done // ended by the crash
			}
		}
		l.startService()
	})
}

// isStep reports whether a line is a step that waits for those before it.
func isStep(line string) bool {
	return slices.Contains([]string{
		"member create", "member start", "member join", "member update", "member shutdown-transport",
		"bootstrap join", "bootstrap leave", "notes start", "notes stop", "init",
	}, line)
}

// A step that waits for one that makes progress is not refused; and two ways out do not end each other.
func TestStepsWaitForEachOther(t *testing.T) {
	inLab(t, func(l *testLab) {
		w := l.walker("alice")
		ctx, release, err := w.enter(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- w.run.Execute(context.Background(), "member create", &app.Env{Out: io.Discard}).Err }()
		<-time.After(10 * stepPatience)
		release()
		if err := <-done; err != nil || ctx.Err() == nil {
			t.Errorf("member create: %v", err)
		}
		ctx, release, err = w.enterFirst(context.Background(), false)
		if err != nil {
			t.Fatal(err)
		}
		o := w.run.Execute(context.Background(), "member leave --timeout 3s", &app.Env{Out: io.Discard})
		if want := "another step of alice still runs: member leave has not come to its turn within 3s"; o.Err == nil || o.Err.Error() != want {
			t.Errorf("a second way out: %v, want %s", o.Err, want)
		}
		if ctx.Err() != nil {
			t.Errorf("the first way out was ended: %v", context.Cause(ctx))
		}
		release()
	})
}

// Programs read the views: names of fields are words, and lists are lists.
func TestViewsForPrograms(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice")
		key := regexp.MustCompile(`"([^"]*)":`)
		for _, line := range []string{"member list", "member info", "member local", "member health", "member update", "metrics", "bootstrap list", "bootstrap config", "fault list"} {
			result := alice.mustDo(line)
			for _, m := range key.FindAllStringSubmatch(result, -1) {
				if strings.Trim(m[1], "abcdefghijklmnopqrstuvwxyz_") != "" {
					t.Errorf("%s: the field %q is no word", line, m[1])
				}
			}
			if strings.Contains(result, `"apps"`) && !strings.Contains(result, `"apps":["notes"]`) {
				t.Errorf("%s: %s", line, result)
			}
		}
		alice.mustDo("notes stop")
		if got := alice.mustDo("member info"); !strings.Contains(got, `"apps":[]`) {
			t.Error(got)
		}
	})
}
