// Package fast runs a simulation in this very process, with the virtual time of testing/synctest. It is much faster than a guest and
// takes the machine's own order of goroutines and its randomness, so that a run cannot be repeated: it is for labs that are large.
//
// synctest gives its clock to tests only. But package testing is an ordinary package, and a test that nobody runs, new(testing.T), is all that
// synctest.Test wants of one: it takes its name and its place in the tree of tests. The alternatives are worse: RunTests wants the command
// line of go test, go:linkname into the runtime is refused by the linker, and a clock of ours would have to go through all of memberlist
// and gRPC.
package fast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/sim"
)

// Stats are what a run has cost.
type Stats struct {
	// Virtual is how much time has passed in the simulation.
	Virtual time.Duration
}

// Run runs a spec with these applications. text gets what a person watches, as it happens. When ctx ends, so does the run, with what it has
// until then. A run that stands still is given up, with a sim.BrokenError, and so is one that does not end soon after ctx; its goroutines are
// left behind, since nothing can end them. A panic in any goroutine of the simulation ends the process.
func Run(ctx context.Context, spec *sim.Spec, apps []func() app.App, text io.Writer) (*sim.Outcome, Stats, error) {
	ticks := time.NewTicker(sim.LookEvery)
	defer ticks.Stop()
	return start(ctx, spec, apps, text).wait(ctx, ticks.C)
}

// running is a run in a goroutine of its own, which may never end.
type running struct {
	seed  uint64
	pulse sim.Pulse
	ended chan struct{}
	// Known when ended is closed:
	outcome *sim.Outcome
	stats   Stats
	err     error
}

// wait returns what has become of the run, or that it stands still.
func (r *running) wait(ctx context.Context, ticks <-chan time.Time) (*sim.Outcome, Stats, error) {
	err := r.pulse.Watch(ctx, ticks, r.ended)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, Stats{}, err
	case err != nil:
		return nil, Stats{}, &sim.BrokenError{Seed: r.seed, Why: err.Error(), Stacks: stacks()}
	case ctx.Err() != nil:
		return r.outcome, r.stats, context.Cause(ctx)
	}
	return r.outcome, r.stats, r.err
}

// maxStacks bounds what is told of goroutines, of which there are many in a large lab.
const maxStacks = 1 << 20

// stacks are those of all goroutines of the process: whoever holds the lock is among them.
func stacks() string {
	buf := make([]byte, maxStacks)
	return string(buf[:runtime.Stack(buf, true)])
}

func start(ctx context.Context, spec *sim.Spec, apps []func() app.App, text io.Writer) *running {
	r := &running{seed: spec.Seed, ended: make(chan struct{})}
	inner := *spec
	observer, end := outside(spec.Observer)
	inner.Observer = observer
	go func() { // it belongs to whoever waits, who may have to give it up
		defer close(r.ended)
		defer end()
		defer func() {
			if p := recover(); p != nil { // of the bubble, which nothing can wake any more
				r.err = errors.Join(r.err, &sim.BrokenError{Seed: spec.Seed, Why: fmt.Sprint(p), Stacks: string(debug.Stack())})
			}
		}()
		synctest.Test(new(testing.T), func(*testing.T) {
			begin := time.Now()
			r.outcome, r.err = bubble(ctx, &inner, apps, r.pulse.Text(text), r.pulse.Beat)
			r.stats.Virtual = time.Since(begin)
			for range sim.Settle / looks {
				<-time.After(looks)
				r.pulse.Beat()
			}
		})
	}()
	return r
}

// looks is how often a run looks whether it shall end, and tells that its clock moves. It cannot wait for what is outside of its bubble.
const looks = 10 * time.Millisecond

// bubble is the run, in virtual time.
func bubble(outer context.Context, spec *sim.Spec, apps []func() app.App, text io.Writer, beat func()) (*sim.Outcome, error) {
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
	return sim.Run(ctx, spec, apps, text)
}
