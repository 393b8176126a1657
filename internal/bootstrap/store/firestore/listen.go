package firestore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Pauses before Firestore is listened to again.
const (
	firstListenPause = 100 * time.Millisecond
	maxListenPause   = 5 * time.Second
)

// errSilentStream is when a stream does not say in time how all its groups are.
var errSilentStream = errors.New("no answer in time")

// listen keeps one stream with all groups that are watched, as long as there are any. A stream that ends is
// opened again, and then sends what was missed.
func (s *Store) listen() {
	limit, failing := firstListenPause, false
	for s.watched() != nil {
		l := listener{store: s, targets: make(map[int32]*target), again: failing}
		err := l.run()
		if err == nil || s.ctx.Err() != nil {
			return
		}
		if l.settled { // it worked
			limit, failing = firstListenPause, false
		}
		if !failing {
			failing = true
			s.log.Warn().Err(err).Msg("watch of firestore ended, trying again")
		}
		t := time.NewTimer(limit/2 + rand.N(limit/2))
		select {
		case <-t.C:
		case <-s.ctx.Done():
			t.Stop()
			return
		}
		limit = min(2*limit, maxListenPause)
	}
}

// listener is one stream. It belongs to the goroutine that runs it.
type listener struct {
	store   *Store
	stream  pb.Firestore_ListenClient
	cancel  context.CancelCauseFunc // of the stream
	guard   *time.Timer             // ends the stream unless all targets are current in time
	tasks   sync.WaitGroup
	targets map[int32]*target
	settled bool // all targets were current once
	again   bool // the stream before failed
}

// target is one group on a stream.
type target struct {
	group   string
	exists  bool // it has a document
	current bool // Firestore has said how it is
}

// run listens until an error, or until there is nothing to listen to.
func (l *listener) run() error {
	ctx, cancel := context.WithCancelCause(l.store.ctx)
	l.cancel = cancel
	l.guard = time.AfterFunc(l.store.cfg.CallTimeout, func() { cancel(errSilentStream) })
	defer l.guard.Stop()
	defer l.tasks.Wait()
	defer cancel(nil)
	stream, err := l.store.client.Listen(l.store.routed(ctx))
	if err != nil {
		return reason(ctx, err)
	}
	l.stream = stream
	responses, failed := make(chan *pb.ListenResponse), make(chan error, 1)
	l.tasks.Go(func() { receive(ctx, stream, responses, failed) })
	for {
		wanted := l.store.watched()
		if wanted == nil {
			return nil
		}
		if err := l.request(wanted); err != nil {
			return reason(ctx, err)
		}
		select {
		case <-l.store.wake:
		case r := <-responses:
			if err := l.handle(ctx, r); err != nil {
				return reason(ctx, err)
			}
		case err := <-failed:
			return reason(ctx, err)
		}
	}
}

// routed has the headers that the generated client cannot know for a stream without a first request.
func (s *Store) routed(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx,
		"google-cloud-resource-prefix", s.cfg.database(),
		"x-goog-request-params", "database="+url.QueryEscape(s.cfg.database()))
}

// receive passes on what a stream sends, and how it ends.
func receive(ctx context.Context, stream pb.Firestore_ListenClient, responses chan<- *pb.ListenResponse, failed chan<- error) {
	for {
		r, err := stream.Recv()
		if err != nil {
			failed <- err
			return
		}
		select {
		case responses <- r:
		case <-ctx.Done():
			failed <- ctx.Err()
			return
		}
	}
}

// reason is why a stream ended: the error that we ended it with, if we did.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// request adds the groups that are wanted and not yet listened to, and takes away the others.
func (l *listener) request(wanted map[int32]string) error {
	for id := range l.targets {
		if _, ok := wanted[id]; ok {
			continue
		}
		delete(l.targets, id)
		if err := l.send(&pb.ListenRequest{TargetChange: &pb.ListenRequest_RemoveTarget{RemoveTarget: id}}); err != nil {
			return err
		}
	}
	for id, group := range wanted {
		if l.targets[id] != nil {
			continue
		}
		l.targets[id] = &target{group: group}
		l.guard.Reset(l.store.cfg.CallTimeout)
		err := l.send(&pb.ListenRequest{TargetChange: &pb.ListenRequest_AddTarget{AddTarget: &pb.Target{
			TargetId: id,
			TargetType: &pb.Target_Documents{Documents: &pb.Target_DocumentsTarget{
				Documents: []string{l.store.cfg.groupName(group)},
			}},
		}}})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *listener) send(r *pb.ListenRequest) error {
	r.Database = l.store.cfg.database()
	return l.stream.Send(r)
}

// handle takes one message. An error ends the stream.
func (l *listener) handle(ctx context.Context, r *pb.ListenResponse) error {
	switch r := r.GetResponseType().(type) {
	case *pb.ListenResponse_TargetChange:
		return l.targetChange(ctx, r.TargetChange)
	case *pb.ListenResponse_DocumentChange:
		c := r.DocumentChange
		for _, id := range c.GetRemovedTargetIds() {
			l.gone(ctx, id)
		}
		return l.documentChange(c.GetDocument(), c.GetTargetIds())
	case *pb.ListenResponse_DocumentDelete:
		for _, id := range r.DocumentDelete.GetRemovedTargetIds() {
			l.gone(ctx, id)
		}
	case *pb.ListenResponse_DocumentRemove:
		for _, id := range r.DocumentRemove.GetRemovedTargetIds() {
			l.gone(ctx, id)
		}
	case *pb.ListenResponse_Filter:
		t := l.targets[r.Filter.GetTargetId()]
		if t != nil && t.exists != (r.Filter.GetCount() > 0) {
			return errors.New("the stream has missed something")
		}
	}
	return nil
}

func (l *listener) targetChange(ctx context.Context, c *pb.TargetChange) error {
	ids := c.GetTargetIds()
	if len(ids) == 0 { // all of them
		ids = slices.Collect(maps.Keys(l.targets))
	}
	switch c.GetTargetChangeType() {
	case pb.TargetChange_REMOVE:
		if cause := c.GetCause(); cause != nil {
			return status.Error(codes.Code(cause.GetCode()), cause.GetMessage()) //nolint:gosec // a code of gRPC
		}
		for _, id := range ids {
			if t := l.targets[id]; t != nil {
				return fmt.Errorf("group %s is no longer watched", t.group)
			}
		}
	case pb.TargetChange_CURRENT:
		for _, id := range ids {
			if t := l.targets[id]; t != nil && !t.current {
				t.current = true
				if !t.exists {
					l.missing(ctx, t.group)
				}
			}
		}
		l.settle()
	case pb.TargetChange_RESET:
		for _, id := range ids {
			if t := l.targets[id]; t != nil {
				t.current, t.exists = false, false
				l.guard.Reset(l.store.cfg.CallTimeout)
			}
		}
	}
	return nil
}

// settle notes that Firestore has said how all groups are.
func (l *listener) settle() {
	for _, t := range l.targets {
		if !t.current {
			return
		}
	}
	l.guard.Stop()
	if !l.settled {
		l.settled = true
		l.store.answers()
		if l.again {
			l.store.log.Info().Msg("watch of firestore works again")
		}
	}
}

func (l *listener) documentChange(d *pb.Document, ids []int32) error {
	for _, id := range ids {
		t := l.targets[id]
		if t == nil {
			continue
		}
		at, err := decodeGroup(d)
		if err != nil {
			return err
		}
		t.exists = true
		l.store.learn(t.group, at)
	}
	return nil
}

// gone notes that a group has no document.
func (l *listener) gone(ctx context.Context, id int32) {
	t := l.targets[id]
	if t == nil {
		return
	}
	t.exists = false
	if t.current {
		l.missing(ctx, t.group)
	}
}

// missing finds out the revision of a group without document, which the stream does not tell, and does so
// beside the stream, so that other groups do not wait. If that is not possible, the stream ends, and all begins anew.
func (l *listener) missing(ctx context.Context, group string) {
	l.tasks.Go(func() {
		within, cancel := context.WithTimeout(ctx, l.store.cfg.CallTimeout)
		defer cancel()
		if _, err := l.store.loadWithin(within, group); err != nil {
			l.cancel(err)
		}
	})
}
