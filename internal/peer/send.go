package peer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	appv1 "peerlab.example/peerlab/proto/peerlab/app/v1"
)

const (
	// sendTimeout is that of a Send whose context has no deadline.
	sendTimeout = 10 * time.Second
	// sendWindow is how far apart the numbers of two messages under way to one member may be.
	sendWindow = 64
	// resendFirst doubles up to resendMost, with jitter.
	resendFirst = 20 * time.Millisecond
	resendMost  = time.Second
)

// Send implements app.Peer.
func (h *host) Send(ctx context.Context, to app.Member, payload []byte) error {
	name := to.Name
	if name == "" {
		name = to.ID
	}
	if len(payload) > app.MaxSend {
		return fmt.Errorf("send to %s: %d bytes; %d is the most", name, len(payload), app.MaxSend)
	}
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, sendTimeout)
		defer cancel()
	}
	if err := h.send(ctx, to.ID, payload); err != nil {
		return fmt.Errorf("send to %s: %w", name, err)
	}
	return nil
}

// send tries until there is an answer, or no use in trying.
func (h *host) send(ctx context.Context, to string, payload []byte) error {
	if _, _, err := h.route(to); err != nil && !errors.Is(err, errNotYet) {
		return err // and no outbox for a member that is not there
	}
	box := h.out.to(to, h.peer.knows)
	seq, err := box.begin(ctx)
	if err != nil {
		return fmt.Errorf("%d messages are under way already: %w", sendWindow, err)
	}
	defer box.end(seq)
	for wait := resendFirst; ; wait = min(2*wait, resendMost) {
		err := h.sendOnce(ctx, to, box, seq, payload)
		if !errors.Is(err, errNotYet) {
			return err
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
	}
}

// errNotYet is that another try may do.
var errNotYet = errors.New("not reached")

// route is from which member to which a message goes.
func (h *host) route(to string) (from string, m app.Member, err error) {
	n := h.peer.membership()
	if n == nil {
		return "", m, app.ErrNotStarted
	}
	m, known := n.Member(to)
	switch {
	case !known:
		err = fmt.Errorf("%w: its id is not known", app.ErrGone)
	case !m.Live():
		err = fmt.Errorf("%w: %s", app.ErrGone, m.State)
	case m.RPCAddr == "":
		err = fmt.Errorf("%w: it has not announced its address yet", errNotYet)
	}
	return n.Self().ID, m, err
}

// sendOnce is one try.
func (h *host) sendOnce(ctx context.Context, to string, box *outbox, seq uint64, payload []byte) error {
	from, m, err := h.route(to)
	if err != nil {
		return err
	}
	conn, err := h.Dial(m)
	if err != nil {
		return err
	}
	_, err = appv1.NewAppServiceClient(conn).Send(ctx, &appv1.SendRequest{
		App: h.app.Name(), From: from, To: to, Seq: seq, Oldest: box.oldest(), Payload: payload,
	})
	return sendError(ctx, err)
}

// sendError says what the answer of the other peer means.
func sendError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	said := command.Clean(status.Convert(err).Message())
	if ctx.Err() != nil {
		return fmt.Errorf("%w: no answer", ctx.Err())
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.Canceled: // canceled: the connection was closed, as when the member seemed gone
		return fmt.Errorf("%w: %s", errNotYet, said)
	case codes.NotFound:
		return fmt.Errorf("%w: %s", app.ErrGone, said)
	case codes.FailedPrecondition:
		return fmt.Errorf("%w: %s", app.ErrNotRunning, said)
	}
	return errors.New(said)
}

// knows reports whether membership has heard of the member, gone or not.
func (p *Peer) knows(id string) bool {
	n := p.membership()
	if n == nil {
		return false
	}
	_, known := n.Member(id)
	return known
}

// outboxes are those of one application.
type outboxes struct {
	mu      sync.Mutex
	byID    ledger[*outbox] // guarded by mu; by id of the receiver
	largest uint64          // guarded by mu; the largest number that a forgotten outbox gave
}

// to is the outbox for a member.
func (o *outboxes) to(id string, known func(id string) bool) *outbox {
	o.mu.Lock()
	defer o.mu.Unlock()
	b, found := o.byID.find(id, func(old string, b *outbox) bool { return known(old) || !o.close(b) })
	if !found {
		// Numbers go on above all that were forgotten: should the member come back, it may remember them.
		b = &outbox{last: o.largest, open: make(map[uint64]struct{}), freed: make(chan struct{})}
		o.byID.add(id, b)
	}
	return b
}

// close reports whether nothing is under way in an outbox, and then keeps its number. The lock is held.
func (o *outboxes) close(b *outbox) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.open) > 0 {
		return false
	}
	o.largest = max(o.largest, b.last)
	return true
}

// outbox numbers the messages to one member. The receiver refuses those below the oldest that is under way, so
// that one that was given up cannot come late, and what it must remember is bounded. (The idea is that of RIFL,
// Lee et al. 2015, "Implementing Linearizability at Large Scale and Low Latency".)
type outbox struct {
	mu    sync.Mutex
	last  uint64              // guarded by mu; the number given last
	open  map[uint64]struct{} // guarded by mu; those under way
	freed chan struct{}       // guarded by mu; closed and replaced when one ends
}

// begin gives a message its number, as soon as the window has room.
func (b *outbox) begin(ctx context.Context) (seq uint64, err error) {
	for {
		b.mu.Lock()
		if b.last+1-b.first() < sendWindow {
			b.last++
			seq = b.last
			b.open[seq] = struct{}{}
			b.mu.Unlock()
			return seq, nil
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// end is that of a message, received or given up.
func (b *outbox) end(seq uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, seq)
	close(b.freed)
	b.freed = make(chan struct{})
}

// oldest is the smallest number under way.
func (b *outbox) oldest() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.first()
}

// first is oldest, or the next number when nothing is under way. The lock is held.
func (b *outbox) first() uint64 {
	first := b.last + 1
	for seq := range b.open {
		first = min(first, seq)
	}
	return first
}
