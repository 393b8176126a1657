package testcoord

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// Freezer is a Process that can be stopped so that it does nothing, and continued: to the others it is silent, and its
// connections stay open.
type Freezer interface {
	Freeze() error
	Thaw() error
}

// freezeRule is what a frozen peer's fault events say.
const freezeRule = "freeze"

// freeze stops the process of a peer.
func (c *Coordinator) freeze(l *life) error {
	f, ok := l.process.(Freezer)
	if !ok {
		return errors.New("this runner cannot freeze a peer")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.frozen {
		return fmt.Errorf("%s is frozen already", l.peer.name)
	}
	if err := f.Freeze(); err != nil {
		return fmt.Errorf("freeze %s: %w", l.peer.name, err)
	}
	l.frozen = true
	c.fault(l, true)
	return nil
}

// thaw continues it.
func (c *Coordinator) thaw(l *life) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.frozen {
		return fmt.Errorf("%s is not frozen", l.peer.name)
	}
	return c.thawFrozen(l)
}

// thawFrozen continues a process before it is ended, or because the suite says so. The lock is held.
func (c *Coordinator) thawFrozen(l *life) error {
	if !l.frozen {
		return nil
	}
	l.frozen = false
	c.fault(l, false)
	f, _ := l.process.(Freezer) // it was frozen
	if err := f.Thaw(); err != nil {
		return fmt.Errorf("thaw %s: %w", l.peer.name, err)
	}
	return nil
}

// fault notes a fault that the peer itself cannot tell of, among its events. The lock is held.
func (c *Coordinator) fault(l *life, active bool) {
	now := time.Now()
	e := &eventv1.Event{
		Node: l.peer.name, Time: timestamppb.New(now),
		What: &eventv1.Event_Fault{Fault: &eventv1.Fault{Rule: freezeRule + " " + l.peer.name, Active: active}},
	}
	noted := entry{Event: e, at: now, life: l.n}
	l.peer.log = append(l.peer.log, noted)
	c.tellEvent(l.peer, noted)
	c.changed(l.peer, e)
}

// BootstrapControl is the bootstrap service of the run, for suites that take it away.
type BootstrapControl interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	// Slow delays each answer; 0 ends that.
	Slow(ctx context.Context, delay time.Duration) error
	// Wipe makes it forget everything.
	Wipe(ctx context.Context) error
}

// bootstrapStep is "lab bootstrap stop|start|slow D|wipe".
type bootstrapStep struct {
	verb  string
	delay time.Duration
}

// bootstrapVerbs are what can be done to the service.
var bootstrapVerbs = []string{"slow", "start", "stop", "wipe"}

func (s bootstrapStep) run(ctx context.Context, f *flow) error {
	c := f.c
	control := c.opt.Control
	if control == nil {
		return errors.New("the bootstrap service of this run is not the coordinator's")
	}
	switch s.verb {
	case "start":
		return control.Start(ctx)
	case "stop":
		return c.forgetRoster(ctx, control.Stop)
	case "wipe":
		return c.forgetRoster(ctx, control.Wipe)
	}
	return control.Slow(ctx, s.delay)
}

// forgetRoster does what ends the stream of rosters, and waits until that is noticed: what follows must not be judged by
// the roster of before.
func (c *Coordinator) forgetRoster(ctx context.Context, do func(context.Context) error) error {
	c.mu.Lock()
	broke, known := c.broke, c.roster >= 0
	c.mu.Unlock()
	if err := do(ctx); err != nil || !known {
		return err
	}
	select {
	case <-broke:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
