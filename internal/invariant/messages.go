package invariant

import (
	"fmt"
	"slices"
	"time"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// stay identifies one life of a peer: what it remembers of messages ends with it.
type stay struct {
	peer string
	from time.Duration
}

func (l *log) stayOf(e Entry) stay {
	life, _ := l.lifeAt(e.Peer, e.At)
	return stay{e.Peer, life.From}
}

// perSenderOrder wants the numbers of one sender's messages to grow at each receiver. The number that a sender starts with is
// its own affair; it is one sequence for each id, which is new with each start.
func perSenderOrder(l *log, _ time.Duration) []Violation {
	type flow struct {
		stay
		app, sender string
	}
	last := map[flow]Entry{}
	var out []Violation
	for _, e := range l.Entries {
		m := e.Event.GetMessage()
		sender, ok := senderOf(m)
		if !ok {
			continue
		}
		f := flow{l.stayOf(e), m.GetApp(), sender}
		before, had := last[f]
		if had && before.Event.GetMessage().GetSeq() > m.GetSeq() {
			out = append(out, Violation{
				Message: fmt.Sprintf("%s got number %d of %s after number %d", e.Peer, m.GetSeq(), m.GetFrom(), before.Event.GetMessage().GetSeq()),
				Proof:   []Entry{before, e},
			})
			continue
		}
		last[f] = e
	}
	return out
}

// senderOf is the id of the sender, which a message's id begins with.
func senderOf(m *eventv1.Message) (string, bool) {
	if m == nil {
		return "", false
	}
	for i := len(m.GetId()) - 1; i > 0; i-- {
		if m.GetId()[i] == '/' {
			return m.GetId()[:i], true
		}
	}
	return "", false
}

// noDuplicates wants each message at most once at each receiver.
func noDuplicates(l *log, _ time.Duration) []Violation {
	type delivery struct {
		stay
		app, id string
	}
	seen := map[delivery]Entry{}
	var out []Violation
	for _, e := range l.Entries {
		m := e.Event.GetMessage()
		if m.GetId() == "" {
			continue
		}
		d := delivery{l.stayOf(e), m.GetApp(), m.GetId()}
		if first, ok := seen[d]; ok {
			out = append(out, Violation{
				Message: fmt.Sprintf("%s got number %d of %s twice", e.Peer, m.GetSeq(), m.GetFrom()),
				Proof:   []Entry{first, e},
			})
			continue
		}
		seen[d] = e
	}
	return out
}

// noSilentLoss wants each copy of a message to be delivered, or counted as dropped by its sender. A copy is not
// judged when its sender or its receiver ended before it could be, and when it was sent less than that time before
// the end of the run.
func noSilentLoss(l *log, within time.Duration) []Violation {
	type copyOf struct{ app, id, to string }
	settled := map[copyOf]bool{}
	for _, e := range l.Entries {
		if m := e.Event.GetMessage(); m != nil {
			settled[copyOf{m.GetApp(), m.GetId(), e.Peer}] = true
		}
		if m := e.Event.GetDropped(); m != nil {
			settled[copyOf{m.GetApp(), m.GetId(), m.GetTo()}] = true
		}
	}
	var out []Violation
	for _, e := range l.Entries {
		m := e.Event.GetSent()
		if m == nil || !l.ranOn(e.Peer, e.At, within) {
			continue
		}
		for _, to := range m.GetReceivers() {
			if settled[copyOf{m.GetApp(), m.GetId(), to}] || !l.ranOn(to, e.At, within) {
				continue
			}
			out = append(out, Violation{
				Message: fmt.Sprintf("number %d of %s never came to %s, and was not counted as dropped", m.GetSeq(), e.Peer, to),
				Proof:   append([]Entry{e}, l.lastOf(to, 2)...),
			})
		}
	}
	return out
}

// ranOn reports whether a peer ran at a time and for so long after it, without a fault that holds its messages up.
func (l *log) ranOn(peer string, at, long time.Duration) bool {
	life, ok := l.lifeAt(peer, at)
	return ok && life.To-at >= long && !l.faulty(at, life.To)
}

// faulty reports whether a fault is active at the end of a time, so that what was sent in it may still be on its way.
func (l *log) faulty(from, to time.Duration) bool {
	return slices.ContainsFunc(l.faults(), func(f span) bool { return f.from <= to && f.to >= to && f.to >= from })
}

// lastOf are the last events of a peer.
func (l *log) lastOf(peer string, n int) []Entry {
	var out []Entry
	for _, e := range slices.Backward(l.Entries) {
		if e.Peer == peer && len(out) < n {
			out = append(out, e)
		}
	}
	slices.Reverse(out)
	return out
}
