package etcd

import (
	"context"
	"iter"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// maxCache bounds the groups of which a guess is kept.
const maxCache = 1024

// feed is a watch of etcd that all watchers of a group share. Its fields are guarded by Store.mu.
type feed struct {
	newest  *bootstrapv1.Roster // nil until the first is read
	readers map[*reader]struct{}
	cancel  context.CancelFunc
}

// reader holds the newest roster that a watcher has not taken.
type reader chan *bootstrapv1.Roster

// Watch is that of bootstrap.Store. It goes on while etcd does not answer.
func (s *Store) Watch(ctx context.Context, group string) iter.Seq2[*bootstrapv1.Roster, error] {
	return func(yield func(*bootstrapv1.Roster, error) bool) {
		r := make(reader, 1)
		if !s.follow(group, &r) {
			yield(nil, bootstrap.ErrClosed)
			return
		}
		defer s.unfollow(group, &r)
		// The feed may be behind what the caller has seen elsewhere. This reaches it through learn; if
		// etcd does not answer now, the feed will get it.
		_, _ = s.load(ctx, group)
		for {
			select {
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			case <-s.ctx.Done():
				yield(nil, bootstrap.ErrClosed)
				return
			case roster := <-r:
				if !yield(roster, nil) {
					return
				}
			}
		}
	}
}

// follow adds a reader to the feed of a group, which the first one starts.
func (s *Store) follow(group string, r *reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	f := s.feeds[group]
	if f == nil {
		ctx, cancel := context.WithCancel(s.ctx)
		f = &feed{readers: make(map[*reader]struct{}), cancel: cancel}
		s.feeds[group] = f
		s.tasks.Go(func() { s.feed(ctx, group) })
	}
	f.readers[r] = struct{}{}
	if f.newest != nil {
		*r <- f.newest
	}
	return true
}

func (s *Store) unfollow(group string, r *reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feeds[group]
	delete(f.readers, r)
	if len(f.readers) == 0 {
		f.cancel()
		delete(s.feeds, group)
	}
}

// feed reads a group and follows its changes, and begins again when that breaks off, until
// ctx ends.
func (s *Store) feed(ctx context.Context, group string) {
	for try := 0; ctx.Err() == nil; try++ {
		err := s.feedOnce(ctx, group)
		if ctx.Err() != nil {
			return
		}
		s.log.Debug().Err(err).Str("group", group).Msg("watch of etcd starts again")
		if pause(ctx, try) != nil {
			return
		}
	}
}

func (s *Store) feedOnce(ctx context.Context, group string) error {
	_, revision, err := s.loadAt(ctx, group)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx) // releases the watch
	defer cancel()
	for resp := range s.client.Watch(clientv3.WithRequireLeader(ctx), s.groupKey(group), clientv3.WithRev(revision+1)) {
		if err := resp.Err(); err != nil {
			return err // the history was compacted away, or the member has no leader
		}
		for _, e := range slices.Backward(resp.Events) {
			if e.Type != mvccpb.PUT {
				continue // a group that was forgotten has been without peers before
			}
			st, err := decodeGroup(group, e.Kv)
			if err != nil {
				return err
			}
			s.learn(st)
			break
		}
	}
	return ctx.Err()
}

// learn takes note of a state from etcd, for the watchers and for the next change.
func (s *Store) learn(st *state) {
	group := st.roster.GetGroup()
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.feeds[group]; f != nil && (f.newest == nil || st.roster.GetRevision() > f.newest.GetRevision()) {
		f.newest = st.roster
		for r := range f.readers {
			select {
			case <-*r: // the reader has not taken this one, and a newer one is here
			default:
			}
			*r <- st.roster
		}
	}
	old := s.cache[group]
	switch {
	case st.mod == 0:
		delete(s.cache, group)
	case old == nil && len(s.cache) >= maxCache:
		for other := range s.cache {
			delete(s.cache, other)
			break
		}
		s.cache[group] = st
	case old == nil || st.mod > old.mod:
		s.cache[group] = st
	}
}

// guess is what a group was when last seen, or nil.
func (s *Store) guess(group string) *state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cache[group]
}
