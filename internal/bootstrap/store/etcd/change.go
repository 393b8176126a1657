package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// lane holds the changes of one group that wait for those under way. Its task ends when there are
// none left.
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
	timeout := time.NewTimer(s.cfg.CallTimeout)
	defer timeout.Stop()
	select {
	case <-r.answer:
		return r.before, r.after, r.err
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-timeout.C:
		return nil, nil, s.explain(ctx, s.cfg.CallTimeout, errSilent)
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

// apply makes the changes of a batch in one transaction. Its error is that of all requests which have none
// of their own.
func (s *Store) apply(group string, batch []*request) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.CallTimeout)
	defer cancel()
	at := s.guess(group)
	fresh := false  // at is from etcd, and not a guess
	var lost []byte // what a try without an answer may have written
	var last error  // of tries without an answer
	for try := 0; ; try++ {
		if at == nil {
			var err error
			if at, err = s.loadWithin(ctx, group); err != nil {
				return s.unanswered(worse(last, err))
			}
			fresh = true
		}
		if lost != nil && bytes.Equal(lost, at.value) {
			return nil
		}
		next := stage(at.roster, batch, last)
		if next == at.roster {
			if fresh {
				return nil
			}
			at = nil
			continue
		}
		value, err := encode(next)
		if err != nil {
			return fmt.Errorf("encode the roster: %w", err)
		}
		now, err := s.commit(ctx, at, next, value)
		switch {
		case err == nil:
			s.refused(nil)
			return nil
		case errors.Is(err, bootstrap.ErrConflict):
			s.conflicts.Add(1)
			at, fresh = now, true
			err = backOff(ctx, try)
		case errors.Is(err, bootstrap.ErrTooManyGroups):
			refuse(batch, at.roster)
			return nil
		case transient(err):
			last, lost, at = worse(last, err), value, nil
			err = pause(ctx, try)
		default:
			s.refused(err)
			return s.unanswered(err)
		}
		if err != nil {
			return s.unanswered(worse(last, errBusy))
		}
	}
}

// errBusy is when a change lost races for the whole time of a call.
var errBusy = unavailable("others change the group all the time")

// unanswered is the error of the requests of a batch.
func (s *Store) unanswered(err error) error {
	return s.explain(context.Background(), s.cfg.CallTimeout, err)
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

// backOff waits after a lost race. Somebody got through, so the next try follows at once, and
// then replicas spread over up to 20 ms.
func backOff(ctx context.Context, try int) error {
	if try == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(rand.N(min(20*time.Millisecond, time.Millisecond<<min(try, 10))))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
