package fast

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/sim"
)

// garbage is how much may lie about before a small run collects it, in bytes. The runtime waits until there is as much garbage as there is data,
// and a process that has just begun has little, so it would collect all the time: then a run of seven peers takes a fifth longer. Memory that
// nobody touches is data, and costs nothing.
const garbage = 64 << 20

// Guest is the process of a run with these applications. It reads the spec from in and writes frames to out. When in ends, so does the run,
// with what it has until then. Guest returns the exit code; a run that stands still is left behind, to end with the process. If out is
// os.Stdout, it is for the frames alone from then on, and what applications print goes to standard error.
func Guest(in io.Reader, out, errs io.Writer, apps []func() app.App) int {
	room := make([]byte, garbage)
	defer runtime.KeepAlive(room)
	ticks := time.NewTicker(sim.LookEvery)
	defer ticks.Stop()
	return guest(in, out, errs, apps, ticks.C)
}

func guest(in io.Reader, out, errs io.Writer, apps []func() app.App, ticks <-chan time.Time) int {
	if out == io.Writer(os.Stdout) {
		out = sim.TakeStdout()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var pulse sim.Pulse
	var failed error // valid when ended is closed
	ended := make(chan struct{})
	go func() { // it may never end
		defer close(ended)
		defer func() {
			if p := recover(); p != nil { // nothing is left that can wake what is left
				failed = fmt.Errorf("%v\n\n%s", p, sim.Stacks())
			}
		}()
		failed = sim.Guest(in, pulse.Text(out), func(spec *sim.Spec) (*sim.Outcome, error) {
			go func() { // it ends with the process, if in does not end
				_, _ = io.Copy(io.Discard, in)
				cancel()
			}()
			return virtually(ctx, spec, apps, pulse.Beat)
		})
	}()
	err := pulse.Watch(ctx, ticks, ended)
	if err != nil {
		err = fmt.Errorf("%w\n\n%s", err, sim.Stacks())
	} else {
		err = failed
	}
	if err != nil {
		_, _ = fmt.Fprintln(errs, "fatal error:", err)
		return 1
	}
	return 0
}

// virtually runs a spec in virtual time, until nothing of it is left but what applications have left behind: nothing wakes that any more, since
// the clock has stopped, and it ends with the process. If the run itself waits for what nothing can wake, it panics.
func virtually(outer context.Context, spec *sim.Spec, apps []func() app.App, beat func()) (outcome *sim.Outcome, err error) {
	over := false
	defer func() {
		switch p := recover(); {
		case p != nil && over: // so says synctest that goroutines are left
			spec.Screen.Note(leftBehind(sim.Stacks()))
		case p != nil:
			panic(p)
		}
	}()
	synctest.Test(new(testing.T), func(*testing.T) {
		outcome, err = bubble(outer, spec, apps, beat)
		for range sim.Settle / looks {
			<-time.After(looks)
			beat()
		}
		over = true
	})
	return outcome, err
}

var (
	// inBubble is in the first line of a goroutine's stack, and begun finds who began it, without the folders of the package.
	inBubble = regexp.MustCompile(`^goroutine \d+ \[.*synctest bubble`)
	begun    = regexp.MustCompile(`(?m)^created by (?:.*/)?(\S+)`)
)

// leftBehind says which goroutines of a bubble have not ended. Those of one place are told once.
func leftBehind(stacks string) string {
	n, by := 0, []string{}
	for stack := range strings.SplitSeq(stacks, "\n\n") {
		if !inBubble.MatchString(stack) {
			continue
		}
		n++
		if place := begun.FindStringSubmatch(stack); len(place) > 0 && !slices.Contains(by, place[1]) {
			by = append(by, place[1])
		}
	}
	return fmt.Sprintf("goroutines that have not ended with their peers: %d, begun by %s", n, strings.Join(by, ", "))
}

// looks is how often a run looks whether it shall end, and tells that its clock moves. It cannot wait for what is outside of its bubble.
const looks = 10 * time.Millisecond

// bubble is the run, in virtual time.
func bubble(outer context.Context, spec *sim.Spec, apps []func() app.App, beat func()) (*sim.Outcome, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var watching sync.WaitGroup
	defer watching.Wait()
	done := make(chan struct{})
	defer close(done)
	watching.Go(func() {
		ticks := time.NewTicker(looks)
		defer ticks.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticks.C:
				beat()
				if outer.Err() != nil {
					cancel()
				}
			}
		}
	})
	return sim.Run(ctx, spec, apps, io.Discard)
}
