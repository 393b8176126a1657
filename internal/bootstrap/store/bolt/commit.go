package bolt

import (
	"context"
	"fmt"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/snapshot"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// maxBatch bounds the changes of one transaction, and so how long the first of them waits.
const maxBatch = 1024

// request is a change that waits for the writer.
type request struct {
	ctx    context.Context
	group  string
	change func(*bootstrapv1.Roster) (*bootstrapv1.Roster, error)
	probe  bool // changes nothing, and finds out whether the disk takes what it did not take
	answer chan struct{}

	// Written by the writer before it closes answer.
	before, after *bootstrapv1.Roster
	err           error
}

func (s *Store) submit(ctx context.Context, group string, change func(*bootstrapv1.Roster) (*bootstrapv1.Roster, error)) (before, after *bootstrapv1.Roster, err error) {
	return s.send(ctx, &request{group: group, change: change})
}

// send gives a request to the writer and waits for its answer, as long as a call may take.
func (s *Store) send(ctx context.Context, r *request) (before, after *bootstrapv1.Roster, err error) {
	r.ctx, r.answer = ctx, make(chan struct{})
	patience := bootstrap.Patience(ctx, s.timeout)
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case s.requests <- r: // the writer answers whatever it takes
	case <-s.closing:
		return nil, nil, bootstrap.ErrClosed
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-timeout.C:
		return nil, nil, s.late(patience)
	}
	select {
	case <-r.answer:
		return r.before, r.after, r.err
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-timeout.C:
		return nil, nil, s.late(patience)
	}
}

// late is the error of a change for which the disk takes too long, and which may still be made.
func (s *Store) late(patience time.Duration) error {
	return fmt.Errorf("store %s: the disk gave no answer within %v", s.path, patience.Round(time.Millisecond))
}

// run is the writer. While one transaction is on its way to the disk, requests gather for the next.
func (s *Store) run() {
	for {
		select {
		case <-s.closing:
			return
		case r := <-s.requests:
			s.commit(s.gather(r))
		}
	}
}

// gather returns first and all requests that wait behind it.
func (s *Store) gather(first *request) []*request {
	batch := []*request{first}
	for len(batch) < maxBatch {
		select {
		case r := <-s.requests:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// commit applies requests in their order, each to the outcome of those before it, makes
// all durable at once, and then answers. If the disk fails, none of them has happened.
func (s *Store) commit(requests []*request) {
	batch := s.table.Begin()
	probe := false
	for _, r := range requests {
		r.apply(batch)
		probe = probe || r.probe
	}
	var err error
	switch {
	case len(batch.Staged()) > 0:
		err = s.save(batch)
	case probe:
		err = s.rehearse()
	}
	if err == nil {
		batch.Publish()
	}
	for _, r := range requests {
		if err != nil && r.ctx.Err() == nil {
			r.err = err // also where a change was refused because of one before it, which has not happened
		}
		close(r.answer)
	}
}

// apply makes the change of a request in a batch that is not durable yet.
func (r *request) apply(batch *snapshot.Batch) {
	if r.err = r.ctx.Err(); r.err != nil || r.probe {
		return
	}
	r.before = batch.Load(r.group)
	r.after, r.err = r.change(r.before)
	if r.err == nil && r.after != r.before {
		r.err = batch.Put(r.after)
	}
}

// save makes a batch durable.
func (s *Store) save(batch *snapshot.Batch) error {
	n := size(batch)
	s.disk.begin()
	err := s.file.save(batch, n)
	s.disk.end(n, err)
	if err == nil {
		s.commits.Add(1)
	}
	return err
}

// rehearse writes as much as could not be written.
func (s *Store) rehearse() error {
	n := s.disk.failed()
	if n == 0 {
		return nil // somebody's change went through meanwhile
	}
	s.disk.begin()
	err := s.file.rehearse(n)
	s.disk.end(n, err)
	return err
}
