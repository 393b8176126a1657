package peer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
)

// Bounds of what waits for an application's Receive, as app.Receiver documents them. Without any, one that stands
// still would take the peer's memory.
const (
	maxWaiting      = 1024
	maxWaitingBytes = 16 << 20
	// receiveGrace is how long the application's Stop waits for a Receive that runs, and how long that may
	// take on after Stop.
	receiveGrace = time.Second
)

var (
	errFull     = errors.New("as much waits for the application as may")
	errStopped  = errors.New("it is not started")
	errPanicked = errors.New("the application panicked while it received the message")
)

// delivery is a message on its way to an application.
type delivery struct {
	from    app.Member
	payload []byte
	done    chan struct{} // closed when it was received, or will not be
	err     error         // valid after done
}

// finish tells of the end of a delivery.
func (d *delivery) finish(err error) {
	d.err = err
	d.payload = nil // a remembered delivery keeps no message
	close(d.done)
}

// stopped reports whether the application stopped before it was received: then it may still be.
func (d *delivery) stopped() bool {
	select {
	case <-d.done:
		return errors.Is(d.err, errStopped)
	default:
		return false
	}
}

// mailbox calls the Receive of an application, from one goroutine, between one start and stop. Who puts
// messages in never waits for the application. A nil one takes nothing.
type mailbox struct {
	receiver app.Receiver
	log      zerolog.Logger
	ended    chan struct{} // closed when no Receive runs any more, after close

	mu      sync.Mutex
	changed *sync.Cond  // of mu
	queue   []*delivery // guarded by mu
	bytes   int         // guarded by mu; of the payloads in queue
	started bool        // guarded by mu
	closed  bool        // guarded by mu
}

// newMailbox takes messages, and keeps them until start. It is nil if the application receives nothing.
func newMailbox(a app.App, log zerolog.Logger) *mailbox {
	r, ok := a.(app.Receiver)
	if !ok {
		return nil
	}
	b := &mailbox{receiver: r, log: log, ended: make(chan struct{})}
	b.changed = sync.NewCond(&b.mu)
	return b
}

// put queues a message; an error says why it does not.
func (b *mailbox) put(from app.Member, payload []byte) (*delivery, error) {
	if b == nil {
		return nil, errStopped
	}
	d := &delivery{from: from, payload: payload, done: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, errStopped
	case len(b.queue) >= maxWaiting:
		return nil, fmt.Errorf("%w: %d messages", errFull, len(b.queue))
	case b.bytes+len(payload) > maxWaitingBytes:
		return nil, fmt.Errorf("%w: %d bytes", errFull, b.bytes)
	}
	b.queue = append(b.queue, d)
	b.bytes += len(payload)
	b.changed.Signal()
	return d, nil
}

// start begins to call Receive, until close.
func (b *mailbox) start() {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.started = true
	b.mu.Unlock()
	go func() { // its owner is the host, which waits in halt; a Receive that never returns cannot be waited for
		defer close(b.ended)
		for d := b.next(); d != nil; d = b.next() {
			b.receive(d)
		}
	}()
}

// next waits for a message; nil when there will be none.
func (b *mailbox) next() *delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) == 0 && !b.closed {
		b.changed.Wait()
	}
	if b.closed {
		return nil
	}
	d := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	b.bytes -= len(d.payload)
	return d
}

// receive hands one message over.
func (b *mailbox) receive(d *delivery) {
	err := errPanicked
	defer func() {
		if err != nil {
			b.log.Error().Interface("panic", recover()).Bytes("stack", debug.Stack()).Str("peer", d.from.Name).Msg("receive panicked")
		}
		d.finish(err)
	}()
	b.receiver.Receive(d.from, d.payload)
	err = nil
}

// close drops what waits. A Receive that runs goes on; see wait.
func (b *mailbox) close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	dropped := b.queue
	b.queue, b.bytes, b.closed = nil, 0, true
	if !b.started {
		close(b.ended)
	}
	b.changed.Signal()
	b.mu.Unlock()
	for _, d := range dropped {
		d.finish(errStopped)
	}
}

// wait waits after close until no Receive runs, for at most receiveGrace, and reports whether none does.
func (b *mailbox) wait(ctx context.Context) bool {
	if b.hasEnded() {
		return true
	}
	late := time.NewTimer(receiveGrace)
	defer late.Stop()
	select {
	case <-b.ended:
	case <-late.C:
	case <-ctx.Done():
	}
	return b.hasEnded()
}

// hasEnded reports whether no Receive will be called any more, and none runs.
func (b *mailbox) hasEnded() bool {
	if b == nil {
		return true
	}
	select {
	case <-b.ended:
		return true
	default:
		return false
	}
}
