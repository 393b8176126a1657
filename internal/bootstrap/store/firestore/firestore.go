package firestore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	vkit "cloud.google.com/go/firestore/apiv1"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"github.com/rs/zerolog"
	"google.golang.org/api/option"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// maxBases bounds how many groups a store remembers, and so its memory.
const maxBases = 256

// Store implements bootstrap.Store and bootstrap.Updater.
type Store struct {
	cfg    Config
	log    zerolog.Logger
	client *vkit.Client

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	once     sync.Once
	closeErr error // written by once

	creating  chan struct{} // holds one token while this process creates a group
	silent    atomic.Bool   // Firestore does not answer
	conflicts atomic.Uint64

	mu        sync.Mutex
	closed    bool                 // guarded by mu
	lanes     map[string]*lane     // guarded by mu; groups with changes under way
	bases     map[string]*state    // guarded by mu; groups as last seen, perhaps out of date
	audiences map[string]*audience // guarded by mu; groups that are watched
	targets   int32                // guarded by mu; counts audiences
	listening bool                 // guarded by mu; there is a task that listens
	wake      chan struct{}        // tells that task that audiences changed
}

var (
	_ bootstrap.Store   = (*Store)(nil)
	_ bootstrap.Updater = (*Store)(nil)
)

// Open returns a store without calling Firestore, so that a process that opens one starts fast, and starts also
// while Firestore is down. Without an endpoint it looks for the default credentials, for which the
// library may ask the metadata server of the machine. The options come after those of Open. ctx is for
// that only; the store lives until Close.
func Open(ctx context.Context, c Config, options ...option.ClientOption) (*Store, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	client, err := dial(ctx, c, options)
	if err != nil {
		return nil, fmt.Errorf("open firestore store: %w", err)
	}
	s := &Store{
		cfg:       c,
		log:       c.Log.With().Str("component", "firestore").Logger(),
		client:    client,
		creating:  make(chan struct{}, 1),
		lanes:     make(map[string]*lane),
		bases:     make(map[string]*state),
		audiences: make(map[string]*audience),
		wake:      make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return s, nil
}

// Close ends all watches and calls, and waits for what the store has under way. It is idempotent.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.cancel()
		s.tasks.Wait()
		s.closeErr = s.client.Close()
	})
	return s.closeErr
}

// Load reads a roster, and sees all that was acknowledged before, by any replica.
func (s *Store) Load(ctx context.Context, group string) (*bootstrapv1.Roster, error) {
	var at *state
	err := s.call(ctx, func(ctx context.Context) (err error) {
		at, err = s.loadWithin(ctx, group)
		return err
	})
	if err != nil {
		return nil, err
	}
	return at.roster, nil
}

// Groups are the names of all groups. It reads each of their documents.
func (s *Store) Groups(ctx context.Context) ([]string, error) {
	var names []string
	err := s.call(ctx, func(ctx context.Context) error {
		return s.retry(ctx, func() error {
			names = []string{}
			return s.query(ctx, allGroups(s.cfg.Collection), func(d *pb.Document) error {
				if name, ok := groupOf(d.GetName()); ok {
					names = append(names, name)
				}
				return nil
			})
		})
	})
	return names, err
}

// Healthy reads the meta document, and so shows that Firestore answers and lets us in. That it takes changes as
// well is known only by making one.
func (s *Store) Healthy(ctx context.Context) error {
	return s.call(ctx, func(ctx context.Context) error {
		return s.retry(ctx, func() error {
			_, err := s.get(ctx, s.cfg.metaName())
			return err
		})
	})
}

// Conflicts is how many writes since Open lost a race against another replica and were made anew.
func (s *Store) Conflicts() uint64 { return s.conflicts.Load() }

// loadWithin reads a group until ctx ends, with the error of its tries.
func (s *Store) loadWithin(ctx context.Context, group string) (at *state, err error) {
	err = s.retry(ctx, func() error {
		at, err = s.read(ctx, group)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.learn(group, at)
	return at, nil
}

// read makes one try to read a group. A group that is not there has the floor as its revision, and both facts
// must be of one moment: the meta document alone, read later, may have risen since, above the revision
// of a group that was created in between. So they are read again together.
func (s *Store) read(ctx context.Context, group string) (*state, error) {
	name := s.cfg.groupName(group)
	docs, err := s.get(ctx, name)
	if err == nil && docs[name] == nil {
		docs, err = s.get(ctx, name, s.cfg.metaName())
	}
	if err != nil {
		return nil, err
	}
	if d := docs[name]; d != nil {
		return decodeGroup(d)
	}
	m, err := decodeMeta(docs[s.cfg.metaName()])
	if err != nil {
		return nil, err
	}
	return &state{roster: &bootstrapv1.Roster{Group: group, Revision: m.floor}, meta: m}, nil
}

// learn remembers a group for the next change, and tells its watchers. What is older than what is known
// already has no effect.
func (s *Store) learn(group string, at *state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if base := s.bases[group]; at.updated == nil {
		delete(s.bases, group)
	} else if base == nil || base.roster.GetRevision() < at.roster.GetRevision() {
		s.bases[group] = at
	}
	for other := range s.bases {
		if len(s.bases) <= maxBases {
			break
		}
		delete(s.bases, other)
	}
	if a := s.audiences[group]; a != nil {
		a.tell(at.roster)
	}
}

// guess is what a group was when it was seen last, nil if nobody remembers.
func (s *Store) guess(group string) *state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bases[group]
}

// forget drops a guess that was wrong.
func (s *Store) forget(group string, wrong *state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bases[group] == wrong {
		delete(s.bases, group)
	}
}
