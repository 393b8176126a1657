package firestore

import (
	"context"
	"iter"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// audience is all watchers of one group in this process. They share what Firestore sends.
type audience struct {
	target   int32               // names the group on the stream of the listener
	latest   *bootstrapv1.Roster // nil until it is known
	watchers map[watcher]struct{}
}

// watcher holds the newest roster that its reader has not taken.
type watcher chan *bootstrapv1.Roster

// Watch yields what Firestore sends, and what this process changes or loads itself, as soon as it knows. While
// Firestore is down it waits.
func (s *Store) Watch(ctx context.Context, group string) iter.Seq2[*bootstrapv1.Roster, error] {
	return func(yield func(*bootstrapv1.Roster, error) bool) {
		if err := s.usable(ctx); err != nil {
			yield(nil, err)
			return
		}
		w := make(watcher, 1)
		if !s.watch(group, w) {
			yield(nil, bootstrap.ErrClosed)
			return
		}
		defer s.unwatch(group, w)
		for {
			select {
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			case <-s.ctx.Done():
				yield(nil, bootstrap.ErrClosed)
				return
			case r := <-w:
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// watch adds a watcher, and starts to listen if nobody does.
func (s *Store) watch(group string, w watcher) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	a := s.audiences[group]
	if a == nil {
		s.targets++
		a = &audience{target: s.targets, watchers: make(map[watcher]struct{})}
		s.audiences[group] = a
		s.poke()
	}
	if a.latest != nil {
		w <- a.latest
	}
	a.watchers[w] = struct{}{}
	if !s.listening {
		s.listening = true
		s.tasks.Go(s.listen)
	}
	return true
}

func (s *Store) unwatch(group string, w watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.audiences[group]
	delete(a.watchers, w)
	if len(a.watchers) == 0 {
		delete(s.audiences, group)
		s.poke()
	}
}

// poke has the listener look at the audiences again.
func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// tell gives a roster to all watchers if it is newer than what they know. It needs the store's mu.
func (a *audience) tell(r *bootstrapv1.Roster) {
	known := a.latest
	if known != nil && r.GetRevision() < known.GetRevision() {
		return
	}
	a.latest = r
	if known != nil && r.GetRevision() == known.GetRevision() {
		return
	}
	for w := range a.watchers {
		select {
		case <-w: // the reader has not taken this one, and a newer one is here
		default:
		}
		w <- r
	}
}

// watched are the groups that are to be listened to, by their targets. If there are none, the task that listens is
// to end, and the next watcher starts another.
func (s *Store) watched() map[int32]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := make(map[int32]string, len(s.audiences))
	for group, a := range s.audiences {
		groups[a.target] = group
	}
	s.listening = len(groups) > 0 && !s.closed
	if !s.listening {
		return nil
	}
	return groups
}
