package testcoord

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/command"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// session is the stream of an attached peer.
type session struct {
	out  chan *testcoordv1.AttachResponse
	done chan struct{} // closed when nothing is sent any more
	once sync.Once
}

// end ends the stream from this side. It may be called more than once.
func (s *session) end() { s.once.Do(func() { close(s.done) }) }

// send sends without waiting for the peer: a session that has a thousand messages waiting is stuck.
func (s *session) send(m *testcoordv1.AttachResponse) {
	select {
	case s.out <- m:
	case <-s.done:
	default:
		s.end()
	}
}

// Attach serves the stream of one peer until it ends.
func (c *Coordinator) Attach(stream testcoordv1.CoordinatorService_AttachServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	hello := first.GetHello()
	if hello == nil {
		return status.Error(codes.InvalidArgument, "the first message of a peer is a Hello")
	}
	l, err := c.attach(hello)
	if err != nil {
		c.tellRefused(stream.Context(), hello, err)
		return err
	}
	// This tells the peer that it takes part, before there is anything for it to do.
	_ = stream.SendHeader(nil) // a stream that has ended is noticed below
	c.log.Debug().Str("peer", hello.GetName()).Str("addr", hello.GetAddr()).Int64("pid", hello.GetPid()).Msg("peer attached")
	go func() { // ends when this handler has returned, since that ends the stream; c.group waits for it
		defer c.group.Done()
		for {
			m, err := stream.Recv()
			if err != nil {
				c.detached(l)
				return
			}
			c.receive(l, m)
		}
	}()
	return l.session.serve(stream)
}

// serve sends what is to be sent until the stream or the session ends.
func (s *session) serve(stream testcoordv1.CoordinatorService_AttachServer) error {
	for {
		select {
		case m := <-s.out:
			if err := stream.Send(m); err != nil {
				return err
			}
		case <-s.done:
			return nil
		case <-stream.Context().Done():
			return status.FromContextError(context.Cause(stream.Context())).Err()
		}
	}
}

// attach finds the life that a peer's Hello belongs to.
func (c *Coordinator) attach(hello *testcoordv1.Hello) (*life, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := hello.GetName()
	p := c.peers[name]
	if p == nil {
		return nil, status.Errorf(codes.NotFound, "the suite has no peer %q, but %s", shorten(command.Clean(name)), some(c.suite.Peers))
	}
	l := p.life
	switch {
	case c.closed:
		return nil, status.Error(codes.Unavailable, "the run is over")
	case l == nil || l.isGone() || l.parting != "":
		return nil, status.Errorf(codes.FailedPrecondition, "peer %q is not expected now", name)
	case l.session != nil:
		return nil, status.Errorf(codes.AlreadyExists, "peer %q is attached already", name)
	}
	l.session = &session{out: make(chan *testcoordv1.AttachResponse, 1024), done: make(chan struct{})}
	l.addr = hello.GetAddr()
	c.group.Add(1)
	close(l.attached)
	c.tellArrived()
	c.changed(p, nil)
	return l, nil
}

func (c *Coordinator) receive(l *life, m *testcoordv1.AttachRequest) {
	c.mu.Lock()
	kept := l.peer.beyond == 0
	c.takeMessage(l, m)
	flood, floods := l.peer.flood(), kept && l.peer.beyond > 0
	c.mu.Unlock()
	if floods {
		c.tellFlood(flood)
	}
}

// takeMessage takes in what a peer says. The lock is held.
func (c *Coordinator) takeMessage(l *life, m *testcoordv1.AttachRequest) {
	if l.isGone() {
		return // its successor may be there already
	}
	switch {
	case m.GetEvents() != nil:
		if n := m.GetEvents().GetMissed(); n > 0 {
			l.peer.missed += n
			l.seq += n
			c.log.Warn().Str("peer", l.peer.name).Uint64("missed", n).Msg("events of a peer were lost")
			c.changed(l.peer, nil)
		}
		for _, e := range m.GetEvents().GetEvents() {
			c.take(l, e)
		}
		c.settleCalls(l)
	case m.GetOutput() != nil:
		if k := l.calls[m.GetOutput().GetStep()]; k != nil && k.output.Len() < maxOutput {
			k.output.WriteString(m.GetOutput().GetText())
		}
	case m.GetDone() != nil:
		if k := l.calls[m.GetDone().GetStep()]; k != nil {
			k.done = m.GetDone()
			if k.done.GetQuit() && l.parting == "" {
				l.parting = "quit"
			}
			c.settleCalls(l)
		}
	}
}

// detached notes the end of a peer's stream.
func (c *Coordinator) detached(l *life) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.detached = true
	l.session.end()
	c.half(l)
}
