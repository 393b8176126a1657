package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// BootstrapConfig says where a Bootstrap is.
type BootstrapConfig struct {
	Listen   string // host:port; port 0 means any, which it then keeps
	Network  network.Network
	Security *node.Security
	Log      zerolog.Logger
}

// Bootstrap is the bootstrap service of one run, which a suite may stop, start, slow down and wipe. It has
// one address for as long as the run lasts.
type Bootstrap struct {
	config BootstrapConfig
	delay  atomic.Int64 // nanoseconds before each answer

	mu    sync.Mutex
	store *memory.Store  // guarded by mu
	node  *bootstrapNode // guarded by mu; nil while it is stopped
}

// StartBootstrap starts the service with an empty store.
func StartBootstrap(ctx context.Context, c BootstrapConfig) (*Bootstrap, error) {
	s := &Bootstrap{config: c, store: memory.New(bootstrap.DefaultMaxGroups)}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	s.config.Listen = s.Addr() // the same after each stop
	return s, nil
}

// Addr is host:port of the service, also while it is stopped.
func (s *Bootstrap) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.node == nil {
		return s.config.Listen
	}
	return s.node.server.Addr()
}

// Start starts the service again with what its store holds.
func (s *Bootstrap) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.node != nil {
		return errors.New("the bootstrap service runs already")
	}
	return s.start(ctx)
}

// start needs mu.
func (s *Bootstrap) start(ctx context.Context) error {
	events := event.New("bootstrap", event.Keep)
	n := &bootstrapNode{service: bootstrap.NewService(kept{s.store}, bootstrap.Options{Log: s.config.Log, Emit: events.Emit})}
	n.server = node.NewServer(node.ServerConfig{
		Role: "bootstrap", Name: "bootstrap", Network: s.config.Network, Security: s.config.Security, Events: events, Log: s.config.Log, Before: s.wait,
	})
	bootstrapv1.RegisterBootstrapServiceServer(n.server, n.service)
	if err := n.server.Start(ctx, s.config.Listen); err != nil {
		return fmt.Errorf("bootstrap service: %w", errors.Join(err, n.service.Close()))
	}
	n.service.Start()
	n.server.SetServing(true) // a store in memory is always well
	s.node = n
	return nil
}

// Stop ends the service: connections to it are refused.
func (s *Bootstrap) Stop(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.node == nil {
		return errors.New("the bootstrap service is stopped already")
	}
	return s.stop()
}

// stop needs mu.
func (s *Bootstrap) stop() error {
	n := s.node
	s.node = nil
	return n.Close()
}

// Slow delays each answer from now on; 0 ends that.
func (s *Bootstrap) Slow(_ context.Context, d time.Duration) error {
	s.delay.Store(int64(d))
	return nil
}

// Wipe makes the service forget all groups, their configuration and their revisions, as if its disk were lost. It runs
// afterwards if it ran before.
func (s *Bootstrap) Wipe(ctx context.Context) error {
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
func (s *Bootstrap) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.node != nil {
		err = s.stop()
	}
	return errors.Join(err, s.store.Close())
}

// bootstrapNode is the service while it runs.
type bootstrapNode struct {
	server  *node.Server
	service *bootstrap.Service
}

// callsGrace is how long calls that are under way may take when the service ends.
const callsGrace = time.Second

// Close ends the watches, and lets calls finish.
func (n *bootstrapNode) Close() error {
	n.server.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), callsGrace)
	defer cancel()
	return errors.Join(n.service.Close(), n.server.Shutdown(ctx))
}

// kept is a store that outlives the service over it.
type kept struct{ *memory.Store }

// Close does nothing.
func (kept) Close() error { return nil }

// wait is the delay, or until ctx ends.
func (s *Bootstrap) wait(ctx context.Context) {
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
