package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// A simulation can stand still in real time: a goroutine computes for ever, or waits for a lock in native code, where virtual time does not
// pass meanwhile. Nothing inside can see that, so somebody outside looks whether anything moves.
const (
	// LookEvery is how often that is.
	LookEvery = time.Second
	// patience is how many looks in a row may see no movement. Between two beats there may be much to compute: a thousand peers that join at
	// once, on a machine that is busy.
	patience = 120
	// impatience is the same when the user wants the run to end.
	impatience = 10
	// Farewell is after what time a simulation that was told to end has ended, or was given up.
	Farewell = 2 * impatience * LookEvery
)

// Pulse is what moves in a simulation, as seen from outside. Any goroutine may use it.
type Pulse struct {
	beats   atomic.Uint64
	showing atomic.Int32 // how many writes are under way: somebody who reads slowly does not make a simulation stand still
	given   atomic.Bool
}

// Beat says that something has moved.
func (p *Pulse) Beat() { p.beats.Add(1) }

// givenUp reports whether nobody waits for the run any more.
func (p *Pulse) givenUp() bool { return p.given.Load() }

// Watch looks at each tick, and returns when the run has ended, with nil, or when it is given up since it stands still. Then the error says so,
// or is that of ctx, if the run was to end.
func (p *Pulse) Watch(ctx context.Context, ticks <-chan time.Time, ended <-chan struct{}) error {
	last, still := p.beats.Load(), 0
	for {
		select {
		case <-ended:
			return nil
		case <-ticks:
		}
		still++
		if now := p.beats.Load(); now != last || p.showing.Load() > 0 && ctx.Err() == nil {
			last, still = now, 0
		}
		if ctx.Err() != nil && still >= impatience {
			p.given.Store(true)
			return context.Cause(ctx)
		}
		if still >= patience {
			p.given.Store(true)
			return errStill
		}
	}
}

var errStill = fmt.Errorf("nothing has moved for %s: it computes for ever, or a lock is never given back", patience*LookEvery)

// Text is a writer to w, which gets nothing any more when the run is given up.
func (p *Pulse) Text(w io.Writer) io.Writer { return shown{p, w} }

type shown struct {
	pulse *Pulse
	to    io.Writer
}

var errGivenUp = errors.New("the run was given up")

func (s shown) Write(b []byte) (int, error) {
	s.pulse.showing.Add(1)
	defer s.pulse.showing.Add(-1)
	s.pulse.Beat()
	if s.pulse.givenUp() {
		return 0, errGivenUp
	}
	return s.to.Write(b)
}
