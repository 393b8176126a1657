package chat

import (
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	chatv1 "peerlab.example/peerlab/proto/peerlab/chat/v1"
)

// errSecondLink ends the one of two links that is not needed.
var errSecondLink = status.Error(codes.AlreadyExists, "there is a link between these two already")

// link is one stream between two peers, seen from one of them.
type link struct {
	opener string // the id of the peer that opened it
	send   func(*chatv1.Frame) error
	recv   func() (*chatv1.Frame, error)
	cancel func() // ends the stream, so that send and recv return

	once sync.Once
	done chan struct{} // closed by close
	born time.Time
}

func newLink(opener string, send func(*chatv1.Frame) error, recv func() (*chatv1.Frame, error), cancel func()) *link {
	return &link{opener: opener, send: send, recv: recv, cancel: cancel, done: make(chan struct{}), born: time.Now()}
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.done)
		l.cancel()
	})
}

// hello is this peer's greeting to the other.
func (s *session) hello() *chatv1.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &chatv1.Frame{What: &chatv1.Frame_Hello{Hello: &chatv1.Hello{
		Id: s.run.self.ID, Name: s.run.self.Name, Delivered: s.got, Session: s.token, PeerSession: s.remote,
	}}}
}

// attach makes l the link of the session, after the other's Hello, and runs its reader and writer. Of two links
// the one that the smaller id opened stays; of two by the same peer, the newer.
func (s *session) attach(l *link, hello *chatv1.Hello) error {
	s.mu.Lock()
	old := s.link
	switch {
	case s.phase == ended:
		s.mu.Unlock()
		return status.Error(codes.Unavailable, "the talk has ended")
	case old != nil && old.opener < l.opener && hello.GetSession() == s.remote:
		// With another session, the old link is of a talk that the other has given up, and only lingers here.
		s.mu.Unlock()
		return errSecondLink
	}
	first := s.remote == ""
	s.agree(hello)
	s.pingAgain()
	s.link = l
	s.stats.links++
	s.changed()
	joined := s.m.Name
	s.mu.Unlock()
	if old != nil {
		old.close()
	}
	if first {
		s.run.peer.Show("presence", "* "+joined+" joined")
	}
	if !s.run.task(func() { s.read(l) }) || !s.run.task(func() { s.write(l) }) {
		l.close()
		s.detach(l)
	}
	// Only now may a message be believed to be on its way.
	s.mu.Lock()
	s.firstTried()
	s.mu.Unlock()
	return nil
}

// detach forgets a link that has ended, and sees to another one.
func (s *session) detach(l *link) {
	s.mu.Lock()
	current := s.link == l
	if current {
		s.link = nil
		s.changed()
	}
	again := current && s.needsLink()
	gone := current && s.phase == leaving
	s.mu.Unlock()
	switch {
	case gone || again && !s.run.lives(s.id):
		s.run.end(s, "has left")
	case again:
		s.run.keepLinked(s, s.relinkDelay(l))
	}
}

// relinkDelay is how long to wait before opening a link after l. The smaller id goes first. A link that broke as
// soon as it stood will probably break again: two peers that cannot agree must not spin.
func (s *session) relinkDelay(l *link) time.Duration {
	var delay time.Duration
	if s.run.self.ID > s.id {
		delay = courtesy
	}
	if time.Since(l.born) < redialFirst {
		delay += redialFirst + rand.N(redialFirst)
	}
	return delay
}

// read takes what the other sends until the link ends.
func (s *session) read(l *link) {
	defer s.detach(l)
	defer l.close()
	for {
		f, err := l.recv()
		if err != nil {
			return
		}
		switch what := f.GetWhat().(type) {
		case *chatv1.Frame_Message:
			if !s.uses(l) {
				return // the link that took over repeats it, in the numbers of the talk it is of
			}
			if err := s.deliver(what.Message); err != nil {
				s.run.log.Warn().Err(err).Str("peer", s.member().Name).Msg("link given up")
				return
			}
		case *chatv1.Frame_Ack:
			s.mu.Lock()
			if s.link == l {
				s.acknowledge(what.Ack.GetSeq())
			}
			s.mu.Unlock()
		case *chatv1.Frame_Ping:
			s.pinged(l, what.Ping.GetId())
		case *chatv1.Frame_Pong:
			s.ponged(what.Pong.GetId())
		case *chatv1.Frame_Bye:
			s.left()
			return
		}
	}
}

// left notes the other's goodbye.
func (s *session) left() {
	s.mu.Lock()
	s.become(leaving)
	who := s.m.Name
	s.mu.Unlock()
	s.run.peer.Show("presence", "* "+who+" is leaving")
}

// write sends what is queued, and acknowledges what was delivered, until the link ends.
func (s *session) write(l *link) {
	for {
		frames, last, wake := s.next(l)
		for _, f := range frames {
			if err := l.send(f); err != nil {
				l.close()
				return
			}
		}
		if last {
			return // after a goodbye, the other ends the link
		}
		if len(frames) > 0 {
			continue
		}
		select {
		case <-wake:
		case <-l.done:
			return
		}
	}
}

// batch is how many messages are taken from the queue at a time.
const batch = 64

// next are the frames to send on this link now; last when nothing follows them. Without any, wake tells of a change.
func (s *session) next(l *link) (frames []*chatv1.Frame, last bool, wake <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != l {
		return nil, true, nil // another link has taken over
	}
	if s.acked < s.got {
		s.acked = s.got
		frames = append(frames, &chatv1.Frame{What: &chatv1.Frame_Ack{Ack: &chatv1.Ack{Seq: s.acked}}})
	}
	frames = append(frames, s.pingFrames()...)
	if n := len(s.queue); n > 0 && s.queue[n-1].GetSeq() > s.written {
		// The queue has no gaps, so that the seq of its head tells where the first unwritten message is.
		from := int(max(s.written+1, s.queue[0].GetSeq()) - s.queue[0].GetSeq()) //nolint:gosec // at most maxQueued
		for _, m := range s.queue[from:min(n, from+batch)] {
			frames = append(frames, &chatv1.Frame{What: &chatv1.Frame_Message{Message: m}})
			s.written = m.GetSeq()
		}
	}
	if s.phase == parting && len(s.queue) == 0 {
		return append(frames, &chatv1.Frame{What: &chatv1.Frame_Bye{Bye: &chatv1.Bye{}}}), true, nil
	}
	return frames, false, s.wake
}
