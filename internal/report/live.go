package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// replay is how many messages are kept for a reader who comes back or is slow. Who misses more loads the page again, which
// costs less than so many messages.
const replay = 512

// Live is the page of a run that goes on. It is an http.Handler, which only reads; a coordinator tells it what happens, and never
// waits for a reader. It is safe for concurrent use. One Live may show several runs, one after the other.
type Live struct {
	mu       sync.Mutex
	run      *Run          // guarded by mu; without events
	epoch    string        // guarded by mu; tells one run from the next
	enc      *encoder      // guarded by mu
	blocks   []any         // guarded by mu; all of the run
	messages []liveMessage // guarded by mu; the newest, with ids up to last
	last     uint64        // guarded by mu
	done     bool          // guarded by mu
	now      string        // guarded by mu; what the run is about
	wake     chan struct{} // guarded by mu; closed and replaced when there is something new
	readers  int           // guarded by mu
	closed   chan struct{} // by Close
	once     sync.Once
}

// liveMessage is one message to the page.
type liveMessage struct {
	id   uint64
	kind string // "block", "steps", "lives", "now" or "done"
	data []byte
}

// NewLive returns a page that waits for a run.
func NewLive() *Live {
	l := &Live{wake: make(chan struct{}), closed: make(chan struct{})}
	l.Begin(&Run{Suite: "no run has begun"})
	return l
}

// Begin starts to show a run, of which everything but steps and events is known. Its events are taken in.
func (l *Live) Begin(r *Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run = l.copyOf(r)
	l.epoch = fmt.Sprintf("%x", time.Now().UnixNano())
	l.enc, l.blocks, l.messages, l.last, l.done, l.now = newEncoder(), nil, nil, 0, false, ""
	for _, e := range r.Events {
		l.enc.add(e)
	}
	l.changed()
}

// Close ends all streams, so that the server can end: give it to http.Server.RegisterOnShutdown.
func (l *Live) Close() { l.once.Do(func() { close(l.closed) }) }

// copyOf is a run that its giver may go on changing.
func (l *Live) copyOf(r *Run) *Run {
	c := *r
	c.Steps, c.Lives, c.Events = slices.Clone(r.Steps), slices.Clone(r.Lives), nil
	return &c
}

// Event takes an event in, of the life of its peer that was told of last. When the page is full, further events are only counted.
func (l *Live) Event(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	begun := 0
	for _, life := range l.run.Lives {
		if life.Peer == e.GetNode() {
			begun++
		}
	}
	e.Life = max(begun-1, 0)
	l.enc.add(e)
	l.run.Duration = max(l.run.Duration, e.At)
	l.changed()
}

// Step takes a step in: one that is Running, and the same again, with the same line and start, when it has ended. Several may
// run at once.
func (l *Live) Step(s Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	same := func(o Step) bool {
		return o.Status == Running && o.Line == s.Line && o.Start == s.Start && o.File == s.File
	}
	if i := slices.IndexFunc(l.run.Steps, same); i >= 0 {
		l.run.Steps[i] = s
	} else {
		l.run.Steps = append(l.run.Steps, s)
	}
	l.run.Duration = max(l.run.Duration, s.Start+s.Duration)
	l.tell("steps", []Step{s.short()})
}

// Life takes a life in: when it begins, and, with its End, the same again when it has ended.
func (l *Live) Life(life Life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run.Lives = slices.DeleteFunc(l.run.Lives, func(o Life) bool { return o.Peer == life.Peer && o.From == life.From })
	l.run.Lives = append(l.run.Lives, life)
	l.tell("lives", cleanedLives(l.run.Lives))
}

// Now says in words what the run is about at the moment, such as whom it waits for.
func (l *Live) Now(words string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if words = bounded(words); words == l.now || l.done {
		return
	}
	l.now = words
	l.tell("now", words)
}

// Finish shows what the run was like. The events are those of r, which may be on a better axis than those that were
// told one by one; when it has none, those stay.
func (l *Live) Finish(r *Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut()
	l.run, l.done, l.now = l.copyOf(r), true, ""
	if len(r.Events) > 0 {
		l.blocks = []any{encode(r.Events)}
	}
	l.tell("done", struct{}{})
}

// tell queues a message. The lock is held.
func (l *Live) tell(kind string, what any) {
	data, err := json.Marshal(what)
	if err != nil {
		return // no value of ours is like that
	}
	l.last++
	l.messages = append(l.messages, liveMessage{l.last, kind, data})
	if len(l.messages) >= 2*replay {
		l.messages = slices.Clone(l.messages[len(l.messages)-replay:])
	}
	l.changed()
}

// changed wakes all readers. The lock is held.
func (l *Live) changed() {
	close(l.wake)
	l.wake = make(chan struct{})
}

// cut makes a block of the events that no reader has yet. The lock is held.
func (l *Live) cut() {
	if l.done || !l.enc.pending() {
		return
	}
	b := l.enc.take()
	l.blocks = append(l.blocks, b)
	l.tell("block", b)
}

// since are the messages after that id, of that run. When they are no longer known, ok is false: load the page again. wake tells of
// more.
func (l *Live) since(epoch string, after uint64) (messages []liveMessage, ok bool, wake <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut()
	if epoch != l.epoch || after > l.last {
		return nil, false, l.wake
	}
	first := l.last + 1
	if len(l.messages) > 0 {
		first = l.messages[0].id
	}
	if after+1 < first || l.last-after > replay {
		return nil, false, l.wake
	}
	return slices.Clone(l.messages[after+1-first:]), true, l.wake
}

// snapshot is what a page begins with. Messages after the id following.next follow it.
func (l *Live) snapshot() (run *Run, blocks []any, f following) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut()
	return l.copyOf(l.run), slices.Clone(l.blocks), following{next: fmt.Sprintf("%s.%d", l.epoch, l.last), going: !l.done, now: l.now}
}
