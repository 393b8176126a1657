package chat

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"peerlab.example/peerlab/app"
	chatv1 "peerlab.example/peerlab/proto/peerlab/chat/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// Bounds of the queue for one receiver. A receiver that stands still for longer than it takes to fill
// it misses messages; without a bound, it would take the sender's memory.
const (
	maxQueued      = 4096
	maxQueuedBytes = 4 << 20
)

// phase is how far a talk has come. It only goes forward.
type phase int

const (
	talking phase = iota
	parting       // this peer says goodbye when the queue is empty
	leaving       // the other has said goodbye
	ended         // it is over
)

// session is what one peer knows of its talk with another, across all links between them.
type session struct {
	run   *run
	id    string        // of the other member
	token string        // tells this session from earlier ones with the same member
	tried chan struct{} // closed after the first try to link

	mu      sync.Mutex
	m       app.Member        // guarded by mu
	remote  string            // guarded by mu; the other's token; empty before its first Hello
	link    *link             // guarded by mu; nil when there is none
	linking bool              // guarded by mu; keepLinked runs
	phase   phase             // guarded by mu
	claimed bool              // guarded by mu; the name is what its Hello says, and membership has not confirmed it yet
	awaited bool              // guarded by mu; the member has announced the chat at some time
	wake    chan struct{}     // guarded by mu; closed and replaced at each change
	queue   []*chatv1.Message // guarded by mu; not acknowledged yet
	bytes   int               // guarded by mu; of the texts in queue
	seq     uint64            // guarded by mu; the last that was given to a message
	written uint64            // guarded by mu; the last seq written to this link
	got     uint64            // guarded by mu; the last seq of the other that was delivered here
	acked   uint64            // guarded by mu; the last of these that the other was told on this link
	heard   uint64            // guarded by mu; the largest Number of the other that was delivered here, in any talk
	before  uint64            // guarded by mu; heard, when this talk began
	calls   int               // guarded by mu; how many streams of the other are being greeted
	stats   stats             // guarded by mu
	asked   uint64            // guarded by mu; the id of the last ping
	pings   []*ping           // guarded by mu; not answered yet
	pongs   []uint64          // guarded by mu; ids of pings of the other, to be answered

	delivery sync.Mutex // held while a message is shown, which may take its time, so that the order stays
}

// stats count what happened in a session.
type stats struct {
	sent      uint64 // queued
	delivered uint64 // acknowledged by the other
	received  uint64 // delivered here
	dropped   uint64
	links     uint64
}

func newSession(r *run, m app.Member) *session {
	m.Name = clean(m.Name)
	return &session{
		run: r, id: m.ID, token: uuid.NewString(), m: m, claimed: true,
		tried: make(chan struct{}), wake: make(chan struct{}),
	}
}

// become moves the talk on, and wakes all who wait for it. The lock is held.
func (s *session) become(p phase) {
	s.phase = max(s.phase, p)
	s.changed()
}

// changed wakes all who wait for the session. The lock is held.
func (s *session) changed() {
	close(s.wake)
	s.wake = make(chan struct{})
}

// firstTried says that the first try to link is over. The lock is held.
func (s *session) firstTried() {
	select {
	case <-s.tried:
	default:
		close(s.tried)
	}
}

func (s *session) member() app.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m
}

// know takes a newer state of the member over, as membership tells it.
func (s *session) know(m app.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Name = clean(m.Name)
	if m.RPCAddr == "" { // not announced yet, which is no news of one that was
		m.RPCAddr, m.Apps = s.m.RPCAddr, s.m.Apps
	}
	found := s.m.RPCAddr != m.RPCAddr
	s.m, s.claimed, s.awaited = m, false, s.awaited || m.Runs(name)
	if found {
		s.changed()
	}
}

// poses reports whether the other called itself otherwise than membership knows it.
func (s *session) poses(m app.Member) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claimed && s.m.Name != clean(m.Name)
}

// enqueue queues a message, or says why it is dropped.
func (s *session) enqueue(number uint64, text string) (reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.phase >= leaving:
		return ""
	case len(s.queue) >= maxQueued:
		reason = fmt.Sprintf("the queue is full with %d messages", maxQueued)
	case s.bytes+len(text) > maxQueuedBytes:
		reason = fmt.Sprintf("the queue is full with %d bytes", s.bytes)
	}
	if reason != "" {
		s.stats.dropped++
		return reason
	}
	s.stats.sent++
	s.seq++
	s.queue = append(s.queue, &chatv1.Message{Seq: s.seq, Text: text, Number: number})
	s.bytes += len(text)
	s.changed()
	return ""
}

// acknowledge forgets the messages up to seq. The lock is held.
func (s *session) acknowledge(seq uint64) {
	n := 0
	for n < len(s.queue) && s.queue[n].GetSeq() <= seq {
		s.bytes -= len(s.queue[n].GetText())
		s.queue[n] = nil
		n++
	}
	s.queue = s.queue[n:]
	s.stats.delivered += uint64(n)
	if n > 0 {
		s.changed()
	}
}

// agree brings the numbers of both sides together, after the other's Hello. The lock is held.
func (s *session) agree(hello *chatv1.Hello) {
	s.acked, s.written = 0, 0 // what was told on an earlier link may not have arrived
	if hello.GetSession() == s.remote {
		// A Hello composed before the other read this peer's, as when both dial at once, says nothing of
		// what it has delivered since. Then all that is queued is sent again, and the other passes over it.
		if hello.GetPeerSession() == s.token {
			delivered := min(hello.GetDelivered(), s.seq) // what was never sent cannot have arrived
			s.acknowledge(delivered)
			s.written = delivered
		}
		return
	}
	// The other side has lost this peer from its view meanwhile, or has just started: it waits for number 1.
	s.remote, s.got = hello.GetSession(), 0
	for i, m := range s.queue {
		s.queue[i] = &chatv1.Message{Seq: uint64(i) + 1, Text: m.GetText(), Number: m.GetNumber()}
	}
	s.seq = uint64(len(s.queue))
}

// deliver takes a message, once and in order. An error means that the link is not usable.
func (s *session) deliver(m *chatv1.Message) error {
	s.delivery.Lock()
	defer s.delivery.Unlock()
	s.mu.Lock()
	var err error
	switch known := s.phase == ended || m.GetSeq() <= s.got; {
	case known: // sent again after a broken link
		s.mu.Unlock()
		return nil
	case m.GetSeq() != s.got+1:
		err = fmt.Errorf("message %d came after %d", m.GetSeq(), s.got)
	case len(m.GetText()) > MaxText:
		err = fmt.Errorf("message of %d bytes", len(m.GetText()))
	case m.GetNumber() != 0 && m.GetNumber() <= s.before:
		// It was delivered in an earlier talk, whose end was faster than the acknowledgement.
		s.got++
		s.changed()
		s.mu.Unlock()
		return nil
	default:
		s.got++
		s.heard = max(s.heard, m.GetNumber())
		s.stats.received++
		s.changed() // there is something to acknowledge
	}
	from := s.m.Name
	s.mu.Unlock()
	if err != nil {
		return err
	}
	text := clean(m.GetText())
	s.run.peer.Emit(&eventv1.Event{What: &eventv1.Event_Message{Message: &eventv1.Message{
		App: name, Id: fmt.Sprintf("%s/%d", s.id, m.GetNumber()), From: from, To: s.run.self.Name,
		Text: text, Seq: m.GetNumber(), Hop: 1,
	}}})
	s.run.peer.Show("messages", "<"+from+"> "+text)
	return nil
}

// end gives the session up and returns how many messages that lost, and whether the other ever greeted. absent is
// that the member says itself that it is not in the chat.
func (s *session) end(how string, absent bool) (lost uint64, greeted bool) {
	s.mu.Lock()
	l := s.link
	queue := s.queue
	s.link, s.queue, s.bytes = nil, nil, 0
	if greeted = s.remote != ""; absent && !greeted && !s.awaited {
		queue = nil // it never was in the chat, and so has missed nothing
	}
	s.stats.dropped += uint64(len(queue))
	lost = s.stats.dropped
	to := s.m.Name
	s.firstTried()
	s.become(ended)
	s.mu.Unlock()
	if l != nil {
		l.close()
	}
	for _, m := range queue {
		s.run.drop(fmt.Sprintf("%s/%d", s.run.self.ID, m.GetNumber()), to, m.GetText(), to+" "+how)
	}
	return lost, greeted
}

// sayBye lets the writer of the link say goodbye when the queue is empty. Without a link, one is opened at once if
// there is something to say.
func (s *session) sayBye() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.become(parting)
}

// waitFlushed waits until there is neither a message nor a link any more, or for the end of ctx.
func (s *session) waitFlushed(ctx context.Context) {
	for {
		s.mu.Lock()
		flushed := s.link == nil && len(s.queue) == 0
		wake := s.wake
		s.mu.Unlock()
		if flushed {
			return
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}

// needsLink reports whether there is something to do and no link to do it on. The lock is held.
func (s *session) needsLink() bool {
	return s.link == nil && (s.phase == talking || s.phase == parting && len(s.queue) > 0)
}

// greeted reports whether the other ever took part.
func (s *session) greeted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote != ""
}

// uses reports whether l is the link.
func (s *session) uses(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link == l
}

// called notes that the other is calling, so that nobody finds that it is not in the chat until hungUp. It is
// false when the session has ended.
func (s *session) called() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == ended {
		return false
	}
	s.calls++
	return true
}

func (s *session) hungUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls--
}
