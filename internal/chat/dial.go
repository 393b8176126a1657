package chat

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	chatv1 "peerlab.example/peerlab/proto/peerlab/chat/v1"
)

const (
	// courtesy is how long the one waits who expects the other to open the link.
	courtesy = 200 * time.Millisecond
	// redialFirst doubles up to redialMost, with jitter: all peers try at once when a split heals.
	redialFirst = 100 * time.Millisecond
	redialMost  = 3 * time.Second
	// announceWait is how long a member that has just joined may take until its address is known here.
	announceWait = time.Second
	// maxWord bounds the texts of a Hello in bytes: names have at most 64, ids and sessions are UUIDs.
	maxWord = 64
	// greetWait is how long the other may take to greet: a process that is frozen accepts a stream, and says nothing.
	greetWait = 3 * time.Second
)

// keepLinked opens a link after a delay, and tries until there is one or the session has ended. One such
// task runs for a session at a time.
func (r *run) keepLinked(s *session, delay time.Duration) {
	s.mu.Lock()
	busy := s.linking || s.phase == ended
	s.linking = true
	s.mu.Unlock()
	if !busy && !r.task(func() { r.dialUntilLinked(s, delay) }) {
		s.mu.Lock()
		s.linking = false
		s.firstTried()
		s.mu.Unlock()
	}
}

func (r *run) dialUntilLinked(s *session, delay time.Duration) {
	if !s.unlinkedAfter(r.ctx, delay) || !r.awaitAddress(s) {
		return
	}
	for wait := redialFirst; ; wait = min(2*wait, redialMost) {
		err := r.dial(s)
		s.mu.Lock()
		s.firstTried()
		if s.phase == parting {
			wait = redialFirst // there is little time left
		}
		s.mu.Unlock()
		switch {
		case errors.Is(err, errNotInChat):
			if r.endAbsent(s) { // it may have called meanwhile
				return
			}
		case err != nil:
			r.log.Debug().Err(err).Str("peer", s.member().Name).Msg("no link yet")
		}
		if !s.unlinkedAfter(r.ctx, wait/2+rand.N(wait)) {
			return
		}
	}
}

// awaitAddress waits until the member has announced its address, for at most announceWait. It is false when no link
// is needed any more.
func (r *run) awaitAddress(s *session) bool {
	late := time.Now().Add(announceWait)
	for s.member().RPCAddr == "" && time.Now().Before(late) {
		if !s.unlinkedAfter(r.ctx, time.Until(late)) { // the announcement ends the waiting
			return false
		}
	}
	return true
}

// unlinkedAfter waits, and reports whether the session still needs a link then. If not, the task is over. It waits
// no longer when that gets urgent: this peer wants to stop, or the other has announced another address.
func (s *session) unlinkedAfter(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	s.mu.Lock()
	phase, addr := s.phase, s.m.RPCAddr
	s.mu.Unlock()
	for {
		s.mu.Lock()
		needed := s.needsLink() && ctx.Err() == nil
		s.linking = needed
		urgent := s.phase != phase || s.m.RPCAddr != addr
		wake := s.wake
		s.mu.Unlock()
		if !needed || urgent {
			return needed
		}
		select {
		case <-timer.C:
			return true
		case <-wake:
		case <-ctx.Done():
		}
	}
}

// errNotInChat says that the other peer does not run the chat.
var errNotInChat = errors.New("not in the chat")

// dial opens one stream and makes it the link, unless there is a better one.
func (r *run) dial(s *session) error {
	conn, err := r.peer.Dial(s.member())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.ctx)
	stream, err := chatv1.NewChatServiceClient(conn).Link(ctx)
	if err != nil {
		cancel()
		return err
	}
	l := newLink(r.self.ID,
		func(f *chatv1.Frame) error { return stream.Send(&chatv1.LinkRequest{Frame: f}) },
		func() (*chatv1.Frame, error) {
			resp, err := stream.Recv()
			return resp.GetFrame(), err
		}, cancel)
	late := time.AfterFunc(greetWait, cancel)
	hello, err := greet(l, s.hello(), true)
	late.Stop()
	if err == nil && hello.GetId() != s.id {
		err = fmt.Errorf("at %s answers another peer, %s: %w", s.member().RPCAddr, clean(hello.GetName()), errNotInChat)
	}
	if err == nil {
		err = s.attach(l, hello)
	}
	switch {
	case err == nil:
		return nil
	case status.Code(err) == codes.FailedPrecondition, status.Code(err) == codes.Unimplemented: // not started, or not even there
		err = errNotInChat
	}
	l.close()
	return err
}

// greet exchanges the Hellos; the opener speaks first.
func greet(l *link, own *chatv1.Frame, opener bool) (*chatv1.Hello, error) {
	if opener {
		if err := l.send(own); err != nil {
			// The reason is in what the other sent.
			if _, why := l.recv(); why != nil {
				return nil, why
			}
			return nil, err
		}
	}
	f, err := l.recv()
	if err != nil {
		return nil, err
	}
	hello := f.GetHello()
	if hello.GetId() == "" || hello.GetSession() == "" {
		return nil, status.Error(codes.InvalidArgument, "the first frame of a link is a hello with id and session")
	}
	if max(len(hello.GetId()), len(hello.GetSession()), len(hello.GetPeerSession()), len(hello.GetName())) > maxWord {
		return nil, status.Errorf(codes.InvalidArgument, "id, name and sessions of a hello have at most %d bytes", maxWord)
	}
	return hello, nil
}
