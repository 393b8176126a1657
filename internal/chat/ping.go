package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	chatv1 "peerlab.example/peerlab/proto/peerlab/chat/v1"
)

const (
	// pingWait is how long the commands wait for an answer, unless they are told otherwise.
	pingWait = 2 * time.Second
	// maxPongs bounds the answers that wait for the writer: who asks faster than the link carries gets fewer.
	maxPongs = 16
)

// ping is a question to the other whether it reads.
type ping struct {
	id       uint64
	began    time.Time
	written  bool          // guarded by session.mu; on the link that there is now
	rtt      time.Duration // valid after answered
	answered chan struct{}
}

// errNotAnswered is that the time was up.
var errNotAnswered = errors.New("no answer")

// ping asks the other, and returns how long the answer took. Without a link, that includes the time until there is
// one: it is how long a message would take, there and back.
func (s *session) ping(ctx context.Context) (time.Duration, error) {
	p := &ping{began: time.Now(), answered: make(chan struct{})}
	s.mu.Lock()
	s.asked++
	p.id = s.asked
	s.pings = append(s.pings, p)
	s.changed()
	s.mu.Unlock()
	defer s.forgetPing(p)
	for {
		s.mu.Lock()
		wake, over := s.wake, s.phase >= leaving
		linked := s.link != nil
		s.mu.Unlock()
		if over {
			return 0, errors.New("it has left")
		}
		select {
		case <-p.answered:
			return p.rtt, nil
		case <-wake:
			continue
		case <-ctx.Done():
		}
		if !linked {
			return 0, fmt.Errorf("%w: there is no link", errNotAnswered)
		}
		return 0, errNotAnswered
	}
}

func (s *session) forgetPing(p *ping) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pings = slices.DeleteFunc(s.pings, func(q *ping) bool { return q == p })
}

// pinged notes a question of the other.
func (s *session) pinged(l *link, id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == l && len(s.pongs) < maxPongs {
		s.pongs = append(s.pongs, id)
		s.changed()
	}
}

// ponged notes an answer of the other.
func (s *session) ponged(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.pings, func(p *ping) bool { return p.id == id })
	if i < 0 {
		return // nobody waits for it any more
	}
	p := s.pings[i]
	s.pings = slices.Delete(s.pings, i, i+1)
	p.rtt = time.Since(p.began)
	close(p.answered)
}

// pingAgain lets a new link carry what the last one may have lost. The lock is held.
func (s *session) pingAgain() {
	s.pongs = nil
	for _, p := range s.pings {
		p.written = false
	}
}

// pingFrames are the questions and answers to write now. The lock is held.
func (s *session) pingFrames() []*chatv1.Frame {
	var frames []*chatv1.Frame
	for _, id := range s.pongs {
		frames = append(frames, &chatv1.Frame{What: &chatv1.Frame_Pong{Pong: &chatv1.Pong{Id: id}}})
	}
	s.pongs = nil
	for _, p := range s.pings {
		if !p.written {
			p.written = true
			frames = append(frames, &chatv1.Frame{What: &chatv1.Frame_Ping{Ping: &chatv1.Ping{Id: p.id}}})
		}
	}
	return frames
}
