package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
)

// suiteBootstrap is the bootstrap service of one run, which a suite may stop, start, slow down and wipe. It has
// one address for as long as the run lasts.
type suiteBootstrap struct {
	config bootstrapConfig
	delay  atomic.Int64 // nanoseconds before each answer

	mu    sync.Mutex
	store *memory.Store  // guarded by mu
	node  *bootstrapNode // guarded by mu; nil while it is stopped
}

// startSuiteBootstrap starts the service with an empty store. The configuration's own store is not used.
func startSuiteBootstrap(ctx context.Context, c bootstrapConfig) (*suiteBootstrap, error) {
	s := &suiteBootstrap{config: c, store: memory.New(bootstrap.DefaultMaxGroups)}
	s.config.before = s.wait
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	s.config.listen = s.Addr() // the same after each stop
	return s, nil
}

// Addr is host:port of the service, also while it is stopped.
func (s *suiteBootstrap) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.node == nil {
		return s.config.listen
	}
	return s.node.server.Addr()
}

// Start starts the service again with what its store holds.
func (s *suiteBootstrap) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.node != nil {
		return errors.New("the bootstrap service runs already")
	}
	return s.start(ctx)
}

// start needs mu.
func (s *suiteBootstrap) start(ctx context.Context) error {
	c := s.config
	c.store = kept{s.store}
	node, err := startBootstrap(ctx, c)
	if err != nil {
		return fmt.Errorf("bootstrap service: %w", err)
	}
	s.node = node
	return nil
}

// Stop ends the service: connections to it are refused.
func (s *suiteBootstrap) Stop(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.node == nil {
		return errors.New("the bootstrap service is stopped already")
	}
	return s.stop()
}

// stop needs mu.
func (s *suiteBootstrap) stop() error {
	node := s.node
	s.node = nil
	return node.Close()
}

// Slow delays each answer from now on; 0 ends that.
func (s *suiteBootstrap) Slow(_ context.Context, d time.Duration) error {
	s.delay.Store(int64(d))
	return nil
}

// Wipe makes the service forget all groups, their configuration and their revisions, as if its disk were lost. It runs
// afterwards if it ran before.
func (s *suiteBootstrap) Wipe(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := s.node != nil
	var err error
	if runs {
		err = s.stop()
	}
	err = errors.Join(err, s.store.Close())
	s.store = memory.New(bootstrap.DefaultMaxGroups)
	if err != nil || !runs {
		return err
	}
	return s.start(ctx)
}

// Close ends the service and its store.
func (s *suiteBootstrap) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.node != nil {
		err = s.stop()
	}
	return errors.Join(err, s.store.Close())
}

// kept is a store that outlives the service over it.
type kept struct{ *memory.Store }

// Close does nothing.
func (kept) Close() error { return nil }

// wait is the delay, or until ctx ends.
func (s *suiteBootstrap) wait(ctx context.Context) {
	d := time.Duration(s.delay.Load())
	if d == 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done(): // the service answers with that
	}
}
