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
// until then. A panic in any goroutine of the simulation ends the process.
func Run(ctx context.Context, spec *sim.Spec, apps []func() app.App, text io.Writer) (outcome *sim.Outcome, stats Stats, err error) {
	defer func() {
		if p := recover(); p != nil { // of the bubble, which nothing can wake any more
			err = errors.Join(err, fmt.Errorf("the simulation cannot go on, with seed %d: %v\n%s", spec.Seed, p, debug.Stack()))
		}
	}()
	inner := *spec
	observer, end := outside(spec.Observer)
	defer end()
	inner.Observer = observer
	synctest.Test(new(testing.T), func(*testing.T) {
		begin := time.Now()
		outcome, err = bubble(ctx, &inner, apps, text)
		stats.Virtual = time.Since(begin)
		<-time.After(sim.Settle)
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return outcome, stats, err
}

// looks is how often a run looks whether it shall end. It cannot wait for what is outside of its bubble.
const looks = 100 * time.Millisecond

// bubble is the run, in virtual time.
func bubble(outer context.Context, spec *sim.Spec, apps []func() app.App, text io.Writer) (*sim.Outcome, error) {
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
				if outer.Err() != nil {
					cancel()
				}
			}
		}
	})
	return sim.Run(ctx, spec, apps, text)
}
