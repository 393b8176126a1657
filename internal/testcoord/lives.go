package testcoord

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// errAbandoned is why a peer is not waited for: another did not start.
var errAbandoned = errors.New("another peer did not start")

// startPeers begins a life of each of the peers and waits until all have attached. The first that fails
// ends the wait for the others. The error is that of each peer that failed by itself.
func (c *Coordinator) startPeers(ctx context.Context, names []string) error {
	limit := c.opt.StartTimeout
	ctx, stop := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not attach within %s", limit))
	defer stop()
	ctx, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)
	errs := make([]error, len(names))
	var starting sync.WaitGroup
	for i, name := range names {
		starting.Go(func() {
			err := c.startPeer(ctx, name)
			if err != nil && err != errAbandoned { //nolint:errorlint // it is never wrapped
				errs[i] = err
				abandon(errAbandoned)
			}
		})
	}
	starting.Wait()
	return cmp.Or(errors.Join(errs...), context.Cause(ctx))
}

func (c *Coordinator) startPeer(ctx context.Context, name string) error {
	l, err := c.launch(ctx, name)
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	select {
	case <-l.attached:
		return nil
	case <-l.gone:
		return &diedError{name: name, how: l.death}
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.Canceled) { // by another peer, or from outside
		return errAbandoned
	}
	f := &failure{msg: name + " did not start: " + context.Cause(ctx).Error()}
	for _, line := range tail(l.process) {
		f.details = append(f.details, name+" | "+line)
	}
	return f
}

// launch starts the process of a peer, if the coordinator is the one who does so.
func (c *Coordinator) launch(ctx context.Context, name string) (*life, error) {
	c.mu.Lock()
	p := c.peers[name]
	if c.opt.Runner == nil {
		defer c.mu.Unlock()
		return p.life, nil // it was there when the run began
	}
	l := c.newLife(p, nil) // it may attach before Start returns
	c.mu.Unlock()
	process, err := c.opt.Runner.Start(ctx, name)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		l.parting = "not started"
		c.over(l)
		return nil, err
	}
	c.mu.Lock()
	l.process = process
	c.lives = append(c.lives, l)
	c.mu.Unlock()
	c.group.Go(func() {
		<-process.Done()
		c.mu.Lock()
		defer c.mu.Unlock()
		l.exited = true
		c.half(l)
	})
	return l, nil
}

// end asks a peer to leave and to end, waits, and makes sure of it. The error says that it did not
// end by itself, or not well.
func (c *Coordinator) end(l *life, parting string, patience time.Duration) error {
	c.mu.Lock()
	if l.parting == "" && !l.isGone() {
		l.parting = parting
	}
	_ = c.thawFrozen(l) // else it could not leave; one that cannot be thawed is killed below
	asked := l.session != nil
	if asked {
		l.session.send(&testcoordv1.AttachResponse{What: &testcoordv1.AttachResponse_End{End: &testcoordv1.End{}}})
	}
	c.half(l)
	c.mu.Unlock()
	if asked && waitFor(l.gone, patience) {
		return c.endedWell(l)
	}
	if l.process == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		late := !l.isGone()
		c.over(l)
		if asked && late {
			return fmt.Errorf("%s did not end within %s", l.peer.name, patience)
		}
		return nil
	}
	endProcess(l.process)
	c.cut(l)
	if asked {
		return fmt.Errorf("%s did not end within %s, and was terminated", l.peer.name, patience)
	}
	return nil
}

// endProcess makes sure that a process has ended.
func endProcess(p Process) {
	p.Terminate()
	if !waitFor(p.Done(), killGrace) {
		p.Kill()
		<-p.Done()
	}
}

// endedWell is the error of a peer that left, but not well.
func (c *Coordinator) endedWell(l *life) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.process == nil || l.parting == "kill" || l.process.Status() == "" {
		return nil
	}
	return fmt.Errorf("%s ended badly when it was to leave (%s): %s", l.peer.name, l.parting, l.process.Status())
}

// kill ends the process of a peer at once.
func (c *Coordinator) kill(l *life) error {
	c.mu.Lock()
	if l.parting == "" && !l.isGone() {
		l.parting = "kill"
	}
	if l.frozen {
		l.frozen = false
		c.fault(l, false)
	}
	c.mu.Unlock()
	l.process.Kill()
	<-l.process.Done()
	c.cut(l)
	return nil
}

// cut ends a life whose process has ended, without waiting for the stream to notice.
func (c *Coordinator) cut(l *life) {
	c.mu.Lock()
	l.exited = true
	session := l.session
	c.half(l)
	c.mu.Unlock()
	if session != nil && !waitFor(l.gone, halfGrace) {
		c.mu.Lock()
		c.over(l)
		c.mu.Unlock()
	}
}

func waitFor(done <-chan struct{}, limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// endAll ends all peers that live, at once, and waits for everything that runs.
func (c *Coordinator) endAll() {
	c.mu.Lock()
	c.closed = true
	lives := slices.Clone(c.lives)
	for _, name := range c.suite.Peers {
		if l := c.peers[name].life; l != nil && l.process == nil {
			lives = append(lives, l)
		}
	}
	c.mu.Unlock()
	errs := make([]error, len(lives))
	var ending sync.WaitGroup
	for i, l := range lives {
		switch {
		case !l.isGone():
			ending.Go(func() { errs[i] = c.end(l, "end", c.opt.EndTimeout) })
		case l.process == nil:
		case l.parting == "quit": // nobody has looked at how it ended
			errs[i] = c.endedWell(l)
		default: // its stream was lost, but the process may live on
			ending.Go(func() { endProcess(l.process) })
		}
	}
	ending.Wait()
	for i, err := range errs {
		if err != nil {
			c.problem(err.Error(), tail(lives[i].process))
		}
	}
	c.group.Wait()
}
