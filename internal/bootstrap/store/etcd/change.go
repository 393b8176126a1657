package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// lane holds the changes of one group that wait for those under way. Its task ends when there are
// none left.
type lane struct {
	waiting []*request // guarded by Store.mu
	problem error      // guarded by Store.mu; why the change under way is not made yet
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
	l := s.enqueue(group, r)
	if l == nil {
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
		s.mu.Lock()
		problem := worse(l.problem, errSilent)
		s.mu.Unlock()
		return nil, nil, s.explain(ctx, patience, problem)
	}
}

// enqueue returns the lane, or nil when the store is closed.
func (s *Store) enqueue(group string, r *request) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	l := s.lanes[group]
	if l == nil {
		l = &lane{}
		s.lanes[group] = l
		s.tasks.Go(func() { s.drain(group, l) })
	}
	l.waiting = append(l.waiting, r)
	return l
}

// drain makes the changes of a lane, all that wait at once, until there are none.
func (s *Store) drain(group string, l *lane) {
	for {
		s.mu.Lock()
		batch := l.waiting
		l.waiting, l.problem = nil, nil
		if len(batch) == 0 {
			delete(s.lanes, group)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		err := s.apply(group, l, batch)
		if errors.Is(err, rpctypes.ErrRequestTooLarge) && len(batch) > 1 {
			// Those that make the roster smaller, or no larger, are not to suffer from the others.
			for i := range batch {
				s.answer(batch[i:i+1], s.apply(group, l, batch[i:i+1]))
			}
			continue
		}
		s.answer(batch, err)
	}
}

// answer ends the requests of a batch, with err for those that have none of their own.
func (s *Store) answer(batch []*request, err error) {
	for _, r := range batch {
		if r.err == nil {
			r.err = err
		}
		close(r.answer)
	}
}

// attempt is what the tries of a batch have led to.
type attempt struct {
	at        *state // what to start from; nil: read it
	fresh     bool   // at is from etcd, and not a guess
	conflicts int
	turn      turn
	problem   error  // why the last try was not the last
	lost      []byte // what a try without an answer may have written; nil if there was none
	lostErr   error  // why there was no answer
}

// apply makes the changes of a batch in one transaction. Its error is that of all requests which have none
// of their own.
func (s *Store) apply(group string, l *lane, batch []*request) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.CallTimeout)
	defer cancel()
	a := &attempt{at: s.guess(group)}
	for try := 0; ; try++ {
		done, err := s.try(ctx, group, a, batch)
		if done {
			return err
		}
		s.mu.Lock()
		l.problem = a.problem
		s.mu.Unlock()
		// What a lost race has brought is used at once: the winner does not wait either.
		failed := a.at == nil && a.problem != nil
		wait := a.turn.others() || failed
		if failed && s.silent.Load() || wait && pause(ctx, try) != nil || ctx.Err() != nil {
			return s.explain(context.Background(), s.cfg.CallTimeout, worse(a.problem, errSilent))
		}
	}
}

// try makes one try of a batch. It is done, with the error of the batch, unless another try may help.
func (s *Store) try(ctx context.Context, group string, a *attempt, batch []*request) (done bool, err error) {
	if a.at == nil {
		if a.at, err = s.loadWithin(ctx, group); err != nil {
			return true, s.explain(context.Background(), s.cfg.CallTimeout, worse(a.problem, err))
		}
		a.fresh = true
	}
	if a.lost != nil && bytes.Equal(a.lost, a.at.value) {
		return true, nil
	}
	next := stage(a.at.roster, batch, a.lostErr)
	if next == a.at.roster && a.fresh {
		s.endTurn(ctx, a, group)
		return true, nil
	}
	if next == a.at.roster {
		a.at = nil
		return false, nil
	}
	value, err := encode(next)
	if err != nil {
		return true, fmt.Errorf("encode the roster: %w", err)
	}
	now, err := s.commit(ctx, a, next, value)
	switch {
	case err == nil:
		s.refused(nil)
		return true, nil
	case errors.Is(err, bootstrap.ErrTooManyGroups):
		refuse(batch, a.at.roster)
		s.endTurn(ctx, a, group)
		return true, nil
	case errors.Is(err, bootstrap.ErrConflict):
		s.conflicts.Add(1)
		a.conflicts++
		a.at, a.fresh, a.problem = now, true, errBusy
	case transient(err):
		a.lost, a.lostErr = value, worse(a.lostErr, err)
		a.at, a.problem = nil, a.lostErr
	default:
		s.refused(err)
		return true, s.explain(context.Background(), s.cfg.CallTimeout, err)
	}
	return false, nil
}

// stage applies the changes of a batch one after the other, each to the outcome of those before it. When a
// try was lost, a CompareAndSwap that meets another revision may have changed that itself.
func stage(r *bootstrapv1.Roster, batch []*request, lost error) *bootstrapv1.Roster {
	for _, q := range batch {
		if q.err = q.ctx.Err(); q.err != nil {
			continue
		}
		q.before = r
		q.after, q.err = q.change(r)
		switch {
		case q.err == nil:
			r = q.after
		case lost != nil:
			q.err = fmt.Errorf("nobody knows whether the change was made: %w", lost)
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
