package testcoord

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// PeerNow is what is to be known of a peer by one who wants to talk to it.
type PeerNow struct {
	Name string
	// Addr is host:port of its gRPC server; empty when it does not run.
	Addr string
	// Frozen is whether its process is stopped: it does not answer.
	Frozen bool
	// Gone says why it does not run; empty when it does.
	Gone string
}

// PeersNow are all peers of the suite, in its order.
func (c *Coordinator) PeersNow() []PeerNow {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []PeerNow
	for _, name := range c.suite.Peers {
		p := c.peers[name]
		now := PeerNow{Name: name}
		if p.life.isUp() {
			now.Addr, now.Frozen = p.life.addr, p.life.frozen
		} else {
			now.Gone = p.why()
		}
		out = append(out, now)
	}
	return out
}

// keepUp lets somebody look at a run that has failed, and reports whether somebody did.
func (c *Coordinator) keepUp(ctx context.Context) bool {
	c.reporting.Lock()
	failed := !c.result.OK()
	c.reporting.Unlock()
	if c.opt.Keep == nil || !failed || ctx.Err() != nil {
		return false
	}
	c.opt.Keep(ctx, c.PeersNow())
	return true
}

// pause lets somebody look before a step.
func (f *flow) pause(ctx context.Context, s *Step) error {
	c := f.c
	if c.opt.Before == nil {
		return nil
	}
	c.stepping.Lock()
	defer c.stepping.Unlock()
	if err := context.Cause(ctx); err != nil { // ended while another branch was looked at
		return err
	}
	rec := f.record(s)
	rec.Status = ""
	return c.opt.Before(ctx, rec)
}

// Do runs a command at a peer, beside the steps of the suite, and returns what it wrote. It may be called while Keep or Before is.
func (c *Coordinator) Do(ctx context.Context, peer, line string) (output string, err error) {
	if c.peers[peer] == nil {
		return "", fmt.Errorf("no peer is named %q, but %s", peer, some(c.suite.Peers))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.opt.StepTimeout, fmt.Errorf("not done within %s", c.opt.StepTimeout))
	defer cancel()
	k := c.startCall(peer, line, true)
	var late error
	select {
	case <-k.ended:
	case <-ctx.Done():
		late = context.Cause(ctx)
		c.cancelCalls([]*call{k})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	output = strings.TrimRight(k.output.String(), "\n")
	switch {
	case k.err != nil:
		return output, k.err
	case late != nil:
		return output, late
	case k.done.GetError() != "":
		return output, errors.New(k.done.GetError())
	}
	return output, nil
}
