package peer

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"peerlab.example/peerlab/app"
)

// ErrInterrupted is the error of a step that was ended by member leave, member shutdown or Leave. It is context.Canceled, too.
var ErrInterrupted error = interruptedError{}

type interruptedError struct{}

func (interruptedError) Error() string        { return "ended, because the peer was told to leave" }
func (interruptedError) Is(target error) bool { return target == context.Canceled }

// stepPatience is how long a step waits before it looks why the one before it does not end.
const stepPatience = time.Second

// stepping lets one step of the life cycle run at a time.
type stepping struct {
	busy    chan struct{} // has one value while a step runs
	running atomic.Pointer[running]
	// unreached is set while the step that runs waits for a bootstrap service that cannot be reached, which may take for ever.
	unreached atomic.Bool
}

// running is a step that runs.
type running struct {
	end context.CancelCauseFunc
	out bool // whether it is a way out itself
}

// end ends the step that runs, if one does; a way out only if that is asked for.
func (s *stepping) end(out bool) {
	if r := s.running.Load(); r != nil && (out || !r.out) {
		r.end(ErrInterrupted)
	}
}

// enter waits until no other step runs, and ends the step when the peer closes. It does not wait for one that waits for
// the bootstrap service.
func (p *Peer) enter(ctx context.Context) (context.Context, func(), error) {
	return p.enterAfter(ctx, false, func() error {
		if !p.steps.unreached.Load() {
			return nil
		}
		return fmt.Errorf("the step before still waits for the bootstrap service %s, which is not reachable; start the service, "+
			"or end the waiting with member leave", p.cfg.BootstrapAddr)
	})
}

// enterFirst is enter for the ways out, which end the step that runs; one that is a way out itself only if the process ends.
func (p *Peer) enterFirst(ctx context.Context, exiting bool) (context.Context, func(), error) {
	p.steps.end(exiting)
	return p.enterAfter(ctx, true, func() error {
		p.steps.end(exiting) // another one may have come first
		return nil
	})
}

// enterAfter waits until no other step runs, or tired returns an error, which is asked now and then.
func (p *Peer) enterAfter(ctx context.Context, out bool, tired func() error) (context.Context, func(), error) {
	select {
	case p.steps.busy <- struct{}{}:
		return p.entered(ctx, out)
	default:
	}
	tick := time.NewTicker(stepPatience)
	defer tick.Stop()
	for {
		select {
		case p.steps.busy <- struct{}{}:
			return p.entered(ctx, out)
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("another step of %s still runs: %w", p.cfg.Name, context.Cause(ctx))
		case <-tick.C:
			if err := tired(); err != nil {
				return nil, nil, err
			}
		}
	}
}

// entered is called with steps.busy taken, and returns what gives it back.
func (p *Peer) entered(ctx context.Context, out bool) (context.Context, func(), error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.ctx, func() { cancel(nil) })
	p.steps.running.Store(&running{end: cancel, out: out})
	return ctx, func() {
		p.steps.running.Store(nil)
		stop()
		cancel(nil)
		<-p.steps.busy
	}, nil
}

// exclusive runs a life-cycle step while no other one runs.
func (p *Peer) exclusive(f run) run {
	return func(ctx context.Context, env *app.Env, args app.Args) (any, error) {
		ctx, release, err := p.enter(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
		return f(ctx, env, args)
	}
}
