package peer

import (
	"errors"
	"sync"

	"peerlab.example/peerlab/app"
	appv1 "peerlab.example/peerlab/proto/peerlab/app/v1"
)

var (
	errDeaf     = errors.New("the application does not receive messages")
	errGivenUp  = errors.New("the sender has given this message up before")
	errNumbered = errors.New("seq and oldest do not go together")
	errOther    = errors.New("another member answers there, or none")
)

// senders are those that have sent to one application, with what must be remembered of each.
type senders struct {
	mu   sync.Mutex
	to   string            // guarded by mu; the id of this member, which others number their messages for
	byID ledger[*received] // guarded by mu
}

// received are the messages of one sender that may be sent again.
type received struct {
	oldest uint64
	bySeq  map[uint64]*delivery
}

// begin says who this member is from now on. A new one is sent other numbers.
func (s *senders) begin(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to != id {
		s.to, s.byID = id, ledger[*received]{}
	}
}

// of is what is remembered of a sender. The lock is held.
func (s *senders) of(id string, known func(id string) bool) *received {
	r, found := s.byID.find(id, func(old string, _ *received) bool { return known(old) })
	if !found {
		r = &received{bySeq: make(map[uint64]*delivery)}
		s.byID.add(id, r)
	}
	return r
}

// accept queues a message for the application, or finds that it was queued before.
func (h *host) accept(from app.Member, req *appv1.SendRequest) (*delivery, error) {
	if _, ok := h.app.(app.Receiver); !ok {
		return nil, errDeaf
	}
	box := h.mailbox()
	if box == nil {
		return nil, errStopped
	}
	seq, oldest := req.GetSeq(), req.GetOldest()
	if oldest == 0 || seq < oldest || seq-oldest >= sendWindow {
		return nil, errNumbered
	}
	h.in.mu.Lock()
	defer h.in.mu.Unlock()
	if h.in.to != req.GetTo() {
		return nil, errOther
	}
	r := h.in.of(from.ID, h.peer.knows)
	r.forget(oldest)
	if seq < r.oldest {
		return nil, errGivenUp
	}
	if d := r.bySeq[seq]; d != nil && !d.stopped() {
		return d, nil
	}
	// Under the lock, so that one that comes twice at a time is queued once.
	d, err := box.put(from, req.GetPayload())
	if err == nil {
		r.bySeq[seq] = d
	}
	return d, err
}

// forget forgets the messages before oldest, which are not sent again.
func (r *received) forget(oldest uint64) {
	if oldest <= r.oldest {
		return
	}
	r.oldest = oldest
	for seq := range r.bySeq {
		if seq < oldest {
			delete(r.bySeq, seq)
		}
	}
}

// ledger is what is kept of members, by id. It grows with those that are known, not with all that ever were.
type ledger[V any] struct {
	byID map[string]V
	most int // when there are so many, it is time to forget some
}

// find is what is kept of a member. When it is nothing, others may be forgotten: those that keep is false for.
func (l *ledger[V]) find(id string, keep func(id string, v V) bool) (v V, found bool) {
	if v, found = l.byID[id]; found || len(l.byID) < l.most {
		return v, found
	}
	for old, v := range l.byID {
		if !keep(old, v) {
			delete(l.byID, old)
		}
	}
	l.most = 2*len(l.byID) + 16 // so that the looking through costs little for each that is added
	return v, false
}

func (l *ledger[V]) add(id string, v V) {
	if l.byID == nil {
		l.byID = make(map[string]V)
	}
	l.byID[id] = v
}
