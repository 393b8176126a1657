// Package event is the one log of what happened at a node. Console output, the WatchEvents
// RPC, the coordinator's expectations and reports are readers of it; a reader that is slow
// misses events and is told how many, and never holds up the node.
package event

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// Keep is how many events a log keeps for readers that come late or are slow.
const Keep = 65536

// Log is the event log of one node. It keeps the last Keep events.
type Log struct {
	node  string
	start time.Time
	skew  atomic.Int64 // nanoseconds

	mu   sync.Mutex
	ring []*eventv1.Event // guarded by mu; ring[seq % len]
	last uint64           // guarded by mu; seq of the newest event
	more chan struct{}    // guarded by mu; closed and replaced at each event
}

// New returns an empty log for the node of that name, which keeps the newest keep events.
func New(node string, keep int) *Log {
	return &Log{node: node, start: time.Now(), ring: make([]*eventv1.Event, keep), more: make(chan struct{})}
}

// Emit adds an event. The log fills in seq, node and times, and owns e from then on.
func (l *Log) Emit(e *eventv1.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now() // under the lock, so that times are in the order of the numbers
	e.Node = l.node
	e.Time = timestamppb.New(now.Add(time.Duration(l.skew.Load())))
	e.MonoNs = int64(now.Sub(l.start))
	l.last++
	e.Seq = l.last
	l.ring[e.Seq%uint64(len(l.ring))] = e
	close(l.more)
	l.more = make(chan struct{})
}

// Skew sets the clock that events are dated by so far ahead of the true time, or behind: a fault on purpose. The time since
// the start of the node stays true.
func (l *Log) Skew(d time.Duration) { l.skew.Store(int64(d)) }

// Last is the seq of the newest event; 0 when there is none.
func (l *Log) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Reader reads a log in order. It is not safe for concurrent use and needs no closing.
type Reader struct {
	log  *Log
	next uint64
}

// Read returns a reader that begins after the event with that seq; 0 means the oldest kept.
func (l *Log) Read(after uint64) *Reader { return &Reader{log: l, next: max(after, after+1)} }

// Try returns the next event, or nil when there is none yet. missed counts the events
// before it that the log no longer keeps. The event is shared: do not change it.
func (r *Reader) Try() (e *eventv1.Event, missed uint64) {
	e, missed, _ = r.try()
	return e, missed
}

// Next waits for the next event, or for the end of ctx.
func (r *Reader) Next(ctx context.Context) (e *eventv1.Event, missed uint64, err error) {
	for {
		e, missed, more := r.try()
		if e != nil {
			return e, missed, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

func (r *Reader) try() (e *eventv1.Event, missed uint64, more <-chan struct{}) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.next > l.last {
		return nil, 0, l.more
	}
	if kept := uint64(len(l.ring)); l.last > kept && r.next <= l.last-kept {
		missed = l.last - kept + 1 - r.next
		r.next += missed
	}
	e = l.ring[r.next%uint64(len(l.ring))]
	r.next++
	return e, missed, nil
}
