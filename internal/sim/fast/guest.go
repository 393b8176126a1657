package fast

import (
	"context"
	"fmt"
	"io"
	"runtime"
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
// with what it has until then. Guest returns the exit code; a run that stands still is left behind, to end with the process.
func Guest(in io.Reader, out, errs io.Writer, apps []func() app.App) int {
	room := make([]byte, garbage)
	defer runtime.KeepAlive(room)
	ticks := time.NewTicker(sim.LookEvery)
	defer ticks.Stop()
	return guest(in, out, errs, apps, ticks.C)
}

func guest(in io.Reader, out, errs io.Writer, apps []func() app.App, ticks <-chan time.Time) int {
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

// virtually runs a spec in virtual time, until nothing of it is left. If something is left that nothing can wake any more, it panics.
func virtually(outer context.Context, spec *sim.Spec, apps []func() app.App, beat func()) (outcome *sim.Outcome, err error) {
	synctest.Test(new(testing.T), func(*testing.T) {
		outcome, err = bubble(outer, spec, apps, beat)
		for range sim.Settle / looks {
			<-time.After(looks)
			beat()
		}
	})
	return outcome, err
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
