package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
	chatv1 "peerlab.example/peerlab/proto/peerlab/chat/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// name is that of the application.
const name = "chat"

const (
	// startWait bounds how long Start waits for the others to greet.
	startWait = 5 * time.Second
	// flushWait bounds how long Stop waits until what was sent has arrived.
	flushWait = 2 * time.Second
)

// Chat is the application. The zero value is not usable; see New.
type Chat struct {
	chatv1.UnimplementedChatServiceServer

	mu  sync.Mutex
	run *run // guarded by mu; nil when not started

	number atomic.Uint64 // messages sent, over all starts: their ids are never given twice
}

var (
	_ app.App       = (*Chat)(nil)
	_ app.Registrar = (*Chat)(nil)
	_ app.Observer  = (*Chat)(nil)
)

// New returns a chat that is not started.
func New() *Chat { return &Chat{} }

// Name implements app.App.
func (*Chat) Name() string { return name }

// run is one start of the chat, until its stop.
type run struct {
	peer app.Peer
	self app.Member
	log  zerolog.Logger

	number *atomic.Uint64 // of the Chat; counted up under mu

	ctx   context.Context // ends with Stop
	stop  context.CancelFunc
	tasks sync.WaitGroup // dialling, readers and writers of links

	mu       sync.Mutex
	closed   bool                // guarded by mu; no task is started any more
	sessions map[string]*session // guarded by mu; by member id
	heard    map[string]uint64   // guarded by mu; by member id: what a session that has ended had heard
	dropped  uint64              // guarded by mu; of sessions that have ended
}

// Start links to all members that are there, and returns when each of them has greeted back, or does
// not run the chat, or cannot be reached, or time is up: a message right after Start reaches all.
func (c *Chat) Start(ctx context.Context, peer app.Peer) error {
	r := &run{
		peer: peer, self: peer.Self(), log: peer.Logger(), number: &c.number,
		sessions: map[string]*session{}, heard: map[string]uint64{},
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	c.mu.Lock()
	c.run = r
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	for _, tried := range r.linkToAll() {
		select {
		case <-tried:
		case <-ctx.Done():
			r.log.Warn().Msg("some members have not answered yet; they are tried again")
			return nil
		}
	}
	return nil
}

// linkToAll begins to link to the live members, and returns a channel for each that is closed after the first try.
func (r *run) linkToAll() []<-chan struct{} {
	var tried []<-chan struct{}
	for _, m := range r.peer.Members() {
		if !m.Self && m.Live() {
			if s, _ := r.meet(m); s != nil {
				r.keepLinked(s, 0)
				tried = append(tried, s.tried)
			}
		}
	}
	return tried
}

// Stop sends what is queued, says goodbye and waits for all goroutines.
func (c *Chat) Stop(ctx context.Context) error {
	c.mu.Lock()
	r := c.run
	c.run = nil
	c.mu.Unlock()
	if r == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flushWait)
	defer cancel()
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	for _, s := range r.all() {
		s.sayBye()
	}
	for _, s := range r.all() {
		s.waitFlushed(ctx)
	}
	r.mu.Lock()
	r.stop() // under the lock, so that no task begins once it is waited for
	r.mu.Unlock()
	for _, s := range r.all() {
		s.end("was not reached before the chat stopped", false) // and what is still queued for it is dropped, and counted
	}
	r.tasks.Wait()
	return nil
}

// Observe implements app.Observer.
func (c *Chat) Observe(e app.MemberEvent) {
	r := c.running()
	if r == nil || e.Member.Self {
		return
	}
	switch e.Change {
	case app.Updated:
		if e.Member.Runs(name) || r.with(e.Member.ID) != nil {
			r.expect(e.Member)
		}
	case app.Joined, app.Recovered:
		// Before it has told that it runs the chat, too: what is said from now on waits for it, and is
		// forgotten if it does not.
		r.expect(e.Member)
	case app.HasLeft:
		r.gone(e.Member.ID, "has left")
	case app.WasLost:
		r.gone(e.Member.ID, "was lost")
	case app.Suspected:
	}
}

// expect makes a session with a member, and sees to a link: the newcomer calls at its start, and
// calling it as well right now would only make a second link to close.
func (r *run) expect(m app.Member) {
	if s, isNew := r.meet(m); isNew {
		r.keepLinked(s, courtesy)
	}
}

// meet is the session with a member that membership tells of, and whether it is new. One that was begun under another
// name ends.
func (r *run) meet(m app.Member) (s *session, isNew bool) {
	if s := r.with(m.ID); s != nil && s.poses(m) {
		r.log.Warn().Str("peer", m.Name).Str("said", s.member().Name).Msg("a link was opened under a wrong name")
		r.end(s, "is not who it said")
	}
	s, isNew = r.session(m)
	if s != nil {
		s.know(m)
	}
	return s, isNew
}

// with is the session with a member, or nil.
func (r *run) with(id string) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[id]
}

// running is nil when the chat is not started.
func (c *Chat) running() *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.run
}

// started is running for commands.
func (c *Chat) started() (*run, error) {
	r := c.running()
	if r == nil {
		return nil, fmt.Errorf("the chat is %w; first: chat start (or init)", app.ErrNotStarted)
	}
	return r, nil
}

// session returns the session with a member, and whether it is new. It is nil when the chat stops.
func (r *run) session(m app.Member) (s *session, isNew bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.sessions[m.ID]; s != nil {
		return s, false
	}
	if r.closed {
		return nil, false
	}
	s = newSession(r, m)
	s.before, s.heard = r.heard[m.ID], r.heard[m.ID]
	r.sessions[m.ID] = s
	return s, true
}

// gone ends the session with a member, if there is one.
func (r *run) gone(id, how string) {
	if s := r.with(id); s != nil {
		r.end(s, how)
	}
}

// end forgets a session. how is shown if the member took part. A newer session with the member stays.
func (r *run) end(s *session, how string) {
	if r.forget(s, func() bool { return true }) {
		r.ended(s, how, false)
	}
}

// endAbsent ends a session whose member says that it is not in the chat, unless the member is calling, or has
// called. One that has announced the chat and never greeted is about to start it, or to take the announcement back.
func (r *run) endAbsent(s *session) bool {
	absent := r.forget(s, func() bool {
		return s.link == nil && s.calls == 0 && (s.remote != "" || !s.m.Runs(name))
	})
	if absent {
		r.ended(s, "has left", true)
	}
	return absent
}

// forget takes a session out of the map if it is there, and if may says so, and reports whether it did. What it
// heard is kept. may is called with the lock of the session held.
func (r *run) forget(s *session, may func() bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.sessions[s.id] != s || !may() {
		return false
	}
	delete(r.sessions, s.id)
	s.become(ended) // no message is delivered in it any more, so that what it heard stays as it is
	if s.heard > 0 {
		r.heard[s.id] = s.heard
	}
	return true
}

// ended shows and counts what a forgotten session leaves behind.
func (r *run) ended(s *session, how string, absent bool) {
	lost, greeted := s.end(how, absent)
	r.mu.Lock()
	r.dropped += lost
	r.mu.Unlock()
	if greeted {
		r.peer.Show("presence", "* "+s.member().Name+" "+how)
	}
}

// lives reports whether membership knows the member, and not as gone.
func (r *run) lives(id string) bool {
	return slices.ContainsFunc(r.peer.Members(), func(m app.Member) bool {
		return m.ID == id && m.Live()
	})
}

// all are the sessions, by name.
func (r *run) all() []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*session, 0, len(r.sessions))
	for _, s := range r.sessions {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *session) int { return strings.Compare(a.member().Name+a.id, b.member().Name+b.id) })
	return out
}

// task runs f in a goroutine that Stop waits for. It reports false when the chat stops.
func (r *run) task(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return false
	}
	r.tasks.Go(f)
	return true
}

// send queues a message for all others, and returns how many of them have greeted.
func (r *run) send(text string) (receivers int, err error) {
	text, err = checkText(text)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	number := r.number.Add(1)
	sessions := make([]*session, 0, len(r.sessions))
	names := make([]string, 0, len(r.sessions))
	for _, s := range r.sessions {
		sessions, names = append(sessions, s), append(names, s.member().Name)
	}
	id := fmt.Sprintf("%s/%d", r.self.ID, number)
	r.peer.Emit(&eventv1.Event{What: &eventv1.Event_Sent{Sent: &eventv1.Message{
		App: name, Id: id, From: r.self.Name, Text: text, Seq: number, Receivers: names,
	}}})
	// Under the lock, so that all receivers have messages in one order.
	for _, s := range sessions {
		if reason := s.enqueue(number, text); reason != "" {
			r.drop(id, s.member().Name, text, reason)
		}
		if s.greeted() {
			receivers++
		}
	}
	r.mu.Unlock()
	return receivers, nil
}

// drop logs a message that is given up.
func (r *run) drop(id, to, text, reason string) {
	r.peer.Emit(&eventv1.Event{What: &eventv1.Event_Dropped{Dropped: &eventv1.Message{
		App: name, Id: id, From: r.self.Name, To: to, Text: text, Reason: reason,
	}}})
}
