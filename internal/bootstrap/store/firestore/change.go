package firestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// lane holds the changes of one group that wait for those under way. Its task ends when there are none
// left.
type lane struct {
	waiting []*request
}

// request is a change that waits for its turn.
type request struct {
	ctx    context.Context
	change func(*bootstrapv1.Roster) (*bootstrapv1.Roster, error)
	answer chan struct{}

	// Written by the task of the lane before it closes answer.
	before, after *bootstrapv1.Roster
	err           error
}

// Update is that of bootstrap.Updater. change is called again when another replica was faster.
func (s *Store) Update(ctx context.Context, group string, change bootstrap.Change) (before, after *bootstrapv1.Roster, err error) {
	return s.submit(ctx, group, func(r *bootstrapv1.Roster) (*bootstrapv1.Roster, error) { return change(r), nil })
}

// CompareAndSwap is that of bootstrap.Store.
func (s *Store) CompareAndSwap(ctx context.Context, group string, revision uint64, r *bootstrapv1.Roster) error {
	_, _, err := s.submit(ctx, group, func(now *bootstrapv1.Roster) (*bootstrapv1.Roster, error) {
		if now.GetRevision() != revision {
			return nil, bootstrap.ErrConflict
		}
		return r, nil
	})
	return err
}

// submit puts a change into the lane of its group and waits for the answer.
func (s *Store) submit(ctx context.Context, group string, change func(*bootstrapv1.Roster) (*bootstrapv1.Roster, error)) (before, after *bootstrapv1.Roster, err error) {
	if err := s.usable(ctx); err != nil {
		return nil, nil, err
	}
	r := &request{ctx: ctx, change: change, answer: make(chan struct{})}
	if !s.enqueue(group, r) {
		return nil, nil, bootstrap.ErrClosed
	}
	// The changes before it may use up the time, and then its own turn would come too late.
	patience := bootstrap.Patience(ctx, s.cfg.CallTimeout)
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-r.answer:
		return r.before, r.after, r.err
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-timeout.C:
		return nil, nil, s.explain(ctx, patience, context.DeadlineExceeded)
	}
}

func (s *Store) enqueue(group string, r *request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	l := s.lanes[group]
	if l == nil {
		l = &lane{}
		s.lanes[group] = l
		s.tasks.Go(func() { s.drain(group, l) })
	}
	l.waiting = append(l.waiting, r)
	return true
}

// drain makes the changes of a lane, all that wait at once, until there are none.
func (s *Store) drain(group string, l *lane) {
	for {
		s.mu.Lock()
		batch := l.waiting
		l.waiting = nil
		if len(batch) == 0 {
			delete(s.lanes, group)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		err := s.apply(group, batch)
		for _, r := range batch {
			if r.err == nil {
				r.err = err
			}
			close(r.answer)
		}
	}
}

// attempt is how far a batch has come.
type attempt struct {
	at      *state // what the changes start from, nil to read it
	fresh   bool   // at was read for this batch, and is no guess
	lost    []byte // what a try without an answer may have written
	doubt   error  // of the last such try
	refused *state // what Firestore refused to replace in the last try, nil if it did not
	refusal error  // why it did
}

// apply makes the changes of a batch by one write. Its error is that of all requests which have none of
// their own. It starts from what the group was when it was seen last: in most cases the caller has just
// loaded it, and the write finds out if that is out of date.
func (s *Store) apply(group string, batch []*request) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.CallTimeout)
	defer cancel()
	a := attempt{at: s.guess(group)}
	for try := 0; ; try++ {
		done, err := s.try(ctx, group, batch, &a)
		if err != nil {
			return s.explain(context.Background(), s.cfg.CallTimeout, err)
		}
		if done {
			return nil
		}
		if a.refused != nil { // A lost race: who waits longer and longer loses the next ones as well.
			try = 0
		}
		if err := pause(ctx, try); err != nil {
			return s.explain(context.Background(), s.cfg.CallTimeout, clearer(a.doubt, errBusy))
		}
	}
}

// errBusy is when a change lost races for the whole time of a call.
var errBusy = status.Error(codes.Aborted, "others change the group all the time")

// try makes one try of a batch. It is done if there is nothing left to try.
func (s *Store) try(ctx context.Context, group string, batch []*request, a *attempt) (done bool, err error) {
	if a.at == nil {
		if err := s.reload(ctx, group, a); err != nil {
			return false, err
		}
	}
	if a.lost != nil && bytes.Equal(a.lost, a.at.value) {
		return true, nil
	}
	if a.refused != nil && a.at.same(a.refused) {
		return false, a.refusal // not for a change of somebody else
	}
	a.refused = nil
	next := stage(a.at.roster, batch, a.doubt)
	if next == a.at.roster && !a.fresh { // there is no write that would find out about a wrong guess
		if err := s.reload(ctx, group, a); err != nil {
			return false, err
		}
		next = stage(a.at.roster, batch, a.doubt)
	}
	if next == a.at.roster {
		return true, nil
	}
	value, err := encodeRoster(next)
	if err != nil {
		return false, err
	}
	if err := s.commit(ctx, a.at, next, value); err != nil {
		return s.judge(group, batch, a, value, err)
	}
	s.answers()
	return true, nil
}

// reload reads the group for a batch.
func (s *Store) reload(ctx context.Context, group string, a *attempt) (err error) {
	if a.at, err = s.loadWithin(ctx, group); err != nil {
		return clearer(a.doubt, err)
	}
	a.fresh = true
	return nil
}

// judge says whether a write that failed is to be tried again.
func (s *Store) judge(group string, batch []*request, a *attempt, value []byte, err error) (done bool, _ error) {
	s.forget(group, a.at)
	switch {
	case errors.Is(err, bootstrap.ErrTooManyGroups):
		refuse(batch, a.at.roster)
		return true, nil
	case outOfDate(err):
		s.conflicts.Add(1)
		a.refused, a.refusal = a.at, err
	case codeOf(err) == codes.Aborted: // it was not made
	case transient(err):
		a.lost, a.doubt = value, clearer(a.doubt, err)
	default:
		return false, err
	}
	a.at = nil
	return false, nil
}

// outOfDate says whether Firestore refused a write since a document is not as the write wants it.
func outOfDate(err error) bool {
	switch codeOf(err) {
	case codes.FailedPrecondition, codes.AlreadyExists, codes.NotFound:
		return true
	default:
		return false
	}
}

// stage applies the changes of a batch one after the other, each to the outcome of those before it. While it
// is in doubt whether an earlier try was made, a CompareAndSwap that meets another revision may have
// changed that itself.
func stage(r *bootstrapv1.Roster, batch []*request, doubt error) *bootstrapv1.Roster {
	for _, q := range batch {
		if q.err = q.ctx.Err(); q.err != nil {
			continue
		}
		q.before = r
		q.after, q.err = q.change(r)
		switch {
		case q.err == nil:
			r = q.after
		case doubt != nil:
			q.err = fmt.Errorf("nobody knows whether the change was made: %w", doubt)
		}
	}
	return r
}

// refuse gives ErrTooManyGroups to the requests that would have changed the group.
func refuse(batch []*request, base *bootstrapv1.Roster) {
	for _, q := range batch {
		if q.err == nil && q.after != base {
			q.err = bootstrap.ErrTooManyGroups
		}
	}
}
