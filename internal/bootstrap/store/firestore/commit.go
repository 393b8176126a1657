package firestore

import (
	"context"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// commit makes one try to replace a group that is still as at says.
//
// The condition is the time at which the document was written last, and not a transaction: that would take
// two calls more, to begin and to read again what the caller has loaded already, and a lock on the
// document between them, for which other writers wait. A write with a condition holds no lock; who loses a
// race is told at once.
func (s *Store) commit(ctx context.Context, at *state, next *bootstrapv1.Roster, value []byte) error {
	put, err := s.cfg.putGroup(next, value, at.updated)
	if err != nil {
		return err
	}
	if at.updated != nil {
		return s.replace(ctx, []*pb.Write{put}, next, value)
	}
	return s.create(ctx, at, next, value, put)
}

// replace writes and remembers what it wrote. The first write is that of the group.
func (s *Store) replace(ctx context.Context, writes []*pb.Write, next *bootstrapv1.Roster, value []byte) error {
	resp, err := s.write(ctx, writes...)
	if err != nil {
		return err
	}
	updated := resp.GetCommitTime()
	if results := resp.GetWriteResults(); len(results) > 0 && results[0].GetUpdateTime() != nil {
		updated = results[0].GetUpdateTime()
	}
	s.learn(next.GetGroup(), &state{roster: next, updated: updated, value: value})
	return nil
}

// create adds a group and counts it, both or none. If there are as many as there may be, the one that has been
// empty for the longest time is forgotten by the same write. Raising the floor to its revision keeps a
// later group of the same name, and each stale CompareAndSwap, from meeting an old revision again.
func (s *Store) create(ctx context.Context, at *state, next *bootstrapv1.Roster, value []byte, put *pb.Write) error {
	m := at.meta
	if m.groups < int64(s.cfg.MaxGroups) {
		m.groups++
		return s.replace(ctx, []*pb.Write{put, s.cfg.putMeta(m)}, next, value)
	}
	victim, err := s.victim(ctx)
	if err != nil {
		return err
	}
	if victim == nil {
		return bootstrap.ErrTooManyGroups
	}
	m.floor = max(m.floor, victim.revision)
	err = s.replace(ctx, []*pb.Write{put, s.cfg.putMeta(m), victim.remove()}, next, value)
	if outOfDate(err) {
		// Perhaps only the group to be forgotten has changed, which is no conflict of this one.
		return status.Error(codes.Aborted, "groups change while room is made for another")
	}
	return err
}

// victim is a group that can be forgotten.
type victim struct {
	name     string // of the document
	revision uint64
	updated  *timestamppb.Timestamp
}

// victim finds the group that has been empty for the longest time, nil if all have peers.
func (s *Store) victim(ctx context.Context) (found *victim, err error) {
	err = s.query(ctx, longestEmpty(s.cfg.Collection), func(d *pb.Document) error {
		found = &victim{d.GetName(), revisionOf(d.GetFields()[fieldRevision]), d.GetUpdateTime()}
		return nil
	})
	return found, err
}

// remove forgets the group if it is still as it was found.
func (v *victim) remove() *pb.Write {
	return &pb.Write{
		Operation:       &pb.Write_Delete{Delete: v.name},
		CurrentDocument: unchanged(v.updated),
	}
}
