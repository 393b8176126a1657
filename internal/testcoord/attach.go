package testcoord

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/command"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// gather waits until all peers that others start have attached, and tells of each. A peer that goes again meanwhile
// is waited for anew. With a Runner there is nothing to wait for.
func (c *Coordinator) gather(ctx context.Context) error {
	if c.opt.Runner != nil {
		return nil
	}
	late := time.NewTimer(c.opt.StartTimeout)
	defer late.Stop()
	var here []string
	lost := map[string]bool{}
	for first := true; ; first = false {
		now, missing, arrived := c.present()
		if first {
			c.invite(now, missing)
		} else {
			c.tellChanges(here, now, missing)
		}
		if len(missing) == 0 {
			return nil
		}
		for _, name := range missing {
			if lost[name] {
				return c.hopeless(name)
			}
		}
		here = now
		select {
		case <-arrived:
		case name := <-c.opt.Lost:
			lost[name] = true
		case <-late.C:
			return c.tooLate(missing)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// present are the peers that have attached, and those that have not, in the order of the suite. When none is missing the run
// begins: from then on no peer may go. arrived is closed when that changes.
func (c *Coordinator) present() (here, missing []string, arrived <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range c.suite.Peers {
		if c.peers[name].life.isUp() {
			here = append(here, name)
		} else {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		for _, p := range c.peers {
			p.life.early = false
		}
	}
	return here, missing, c.arrived
}

// tellArrived wakes those who wait for peers. The lock is held.
func (c *Coordinator) tellArrived() {
	close(c.arrived)
	c.arrived = make(chan struct{})
}

// expectAgain forgets a life that ended before the run began, and waits for another. The lock is held.
func (c *Coordinator) expectAgain(l *life) {
	p := l.peer
	p.lives = slices.DeleteFunc(p.lives, func(other *life) bool { return other == l })
	p.log, p.bytes, p.beyond, p.missed = p.log[:l.logFrom], 0, 0, 0
	c.newLife(p, nil).early = true
	c.tellArrived()
}

// invite tells how to start those that are missing.
func (c *Coordinator) invite(here, missing []string) {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	if len(here) > 0 {
		c.screen.Say("attached: " + some(here))
	}
	if len(missing) == 0 {
		return
	}
	c.screen.Say(fmt.Sprintf("waiting for %s, for at most %s", some(missing), command.Duration(c.opt.StartTimeout)))
	if c.opt.Invite == nil {
		return
	}
	for _, name := range missing[:min(len(missing), namesShown)] {
		c.screen.Say("  " + c.opt.Invite(name))
	}
	if n := len(missing) - namesShown; n > 0 {
		c.screen.Say(fmt.Sprintf("  … and so on for the other %d", n))
	}
}

// tellChanges tells who came and who went.
func (c *Coordinator) tellChanges(before, now, missing []string) {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	state := fmt.Sprintf("(%d of %d", len(now), len(c.suite.Peers))
	if len(missing) > 0 {
		state += "; waiting for " + some(missing)
	}
	state += ")"
	for _, name := range before {
		if !slices.Contains(now, name) {
			c.screen.Say(name + " has gone again " + state)
		}
	}
	var came []string
	for _, name := range now {
		if !slices.Contains(before, name) {
			came = append(came, name)
		}
	}
	if len(came) > 0 {
		c.screen.Say("attached " + some(came) + " " + state)
	}
}

// tooLate is the error of peers that nobody started in time.
func (c *Coordinator) tooLate(missing []string) error {
	f := &failure{msg: fmt.Sprintf("not attached within %s: %s", command.Duration(c.opt.StartTimeout), strings.Join(missing, ", "))}
	if c.opt.Invite != nil {
		f.details = append(f.details, "start such a peer with: "+c.opt.Invite(missing[0]))
	}
	for _, name := range missing[:min(len(missing), namesShown)] {
		f.details = append(f.details, c.whereabouts(name)...)
	}
	return f
}

// hopeless is the error of a peer that will not attach any more.
func (c *Coordinator) hopeless(name string) error {
	return &failure{msg: name + " will not attach", details: c.whereabouts(name)}
}

// whereabouts are lines about a peer that has not attached.
func (c *Coordinator) whereabouts(name string) []string {
	if c.opt.Whereabouts == nil {
		return nil
	}
	var lines []string
	for _, line := range c.opt.Whereabouts(name) {
		lines = append(lines, name+" | "+line)
	}
	return lines
}

// Note shows a line about something outside that concerns the run. It may be called from any goroutine until Run returns.
func (c *Coordinator) Note(text string) {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	c.screen.Note(text)
}

// refusalsTold is how many refused attaches are told: who tries in a loop must not flood the screen.
const refusalsTold = 20

// tellRefused tells of a peer that wanted to attach and may not.
func (c *Coordinator) tellRefused(ctx context.Context, hello *testcoordv1.Hello, err error) {
	from := "somewhere"
	if p, ok := grpcpeer.FromContext(ctx); ok {
		from = p.Addr.String()
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	c.reporting.Lock()
	defer c.reporting.Unlock()
	c.refused++
	if closed || c.refused > refusalsTold {
		return
	}
	c.screen.Note(fmt.Sprintf("refused %q from %s: %s", shorten(command.Clean(hello.GetName())), from, status.Convert(err).Message()))
	if c.refused == refusalsTold {
		c.screen.Note("further peers that are refused are not told")
	}
}

// some are names, but not so many that they flood a screen.
func some(names []string) string {
	shown := strings.Join(names[:min(len(names), namesShown)], ", ")
	if n := len(names) - namesShown; n > 0 {
		shown += fmt.Sprintf(" and %d more", n)
	}
	return shown
}
