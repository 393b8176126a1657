// Package function is the bootstrap service as an HTTP function: an instance is started when requests
// come, is given time only while it answers, and may be one of many. So it keeps nothing but its client of the store,
// makes that at its first request, and leaves out what would run between requests: ended leases are
// dropped by whoever looks at them, and Watch is left to polling unless it is told otherwise.
package function

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/gateway"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Store is a store that the function owns.
type Store interface {
	bootstrap.Store
	io.Closer
}

// Config of a function.
type Config struct {
	// Open opens the store; it is called again at a later request when it fails.
	Open func(ctx context.Context) (Store, error)
	// Security holds the tokens; nil for none.
	Security *node.Security
	// Stream lets Watch stream. On a platform that bills the time of a request, a watch costs as long as it
	// lasts.
	Stream bool
	Log    zerolog.Logger
}

// retryOpen is how long requests are refused after the store could not be opened, so that many
// instances do not ask for credentials with each request.
const retryOpen = time.Second

// Function is an http.Handler. It is safe for concurrent use.
type Function struct {
	c Config

	mu       sync.Mutex
	instance *instance // guarded by mu; nil before the first request
	failure  error     // guarded by mu; of the last Open
	failed   time.Time // guarded by mu; when that was
	closed   bool      // guarded by mu
}

// instance is what is kept between requests.
type instance struct {
	handler http.Handler
	close   []func() error // in this order
}

// New returns a function that has not opened its store yet.
func New(c Config) *Function { return &Function{c: c} }

// ServeHTTP answers one request.
func (f *Function) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	i, err := f.open(req.Context())
	if err != nil {
		gateway.WriteError(w, err)
		return
	}
	i.handler.ServeHTTP(w, req)
}

// open returns the instance, and makes it at the first request.
func (f *Function) open(ctx context.Context) (*instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return nil, status.Error(codes.Unavailable, "the function ends")
	case f.instance != nil:
		return f.instance, nil
	case f.failure != nil && time.Since(f.failed) < retryOpen:
		return nil, f.failure
	}
	// The store outlives the request that opens it.
	store, err := f.c.Open(context.WithoutCancel(ctx))
	if err != nil {
		f.c.Log.Error().Err(err).Msg("open the store")
		f.failure, f.failed = status.Errorf(codes.Unavailable, "open the store: %v", err), time.Now()
		return nil, f.failure
	}
	f.instance, err = f.start(store)
	if err != nil {
		return nil, status.Error(codes.Internal, errors.Join(err, store.Close()).Error())
	}
	return f.instance, nil
}

// start puts HTTP/JSON before a service that has no other way in.
func (f *Function) start(store Store) (*instance, error) {
	service := bootstrap.NewService(store, bootstrap.Options{Log: f.c.Log})
	server := node.NewServer(node.ServerConfig{
		Role: "bootstrap", Name: "function", Network: network.System(), Security: f.c.Security, Log: f.c.Log,
		OperatorMethods: bootstrap.OperatorMethods(), OperatorSetting: "a token of operators (functions deploy --operator-secret, or " + EnvOperator + ")",
	})
	bootstrapv1.RegisterBootstrapServiceServer(server, service)
	local, err := server.Local()
	if err != nil {
		return nil, errors.Join(err, service.Close(), server.Close())
	}
	handler, err := gateway.NewHandler(local, gateway.Options{NoStreams: !f.c.Stream})
	if err != nil {
		return nil, errors.Join(err, service.Close(), local.Close(), server.Close())
	}
	return &instance{
		handler: handler,
		close:   []func() error{service.Close, local.Close, server.Close, store.Close},
	}, nil
}

// Close ends what the function keeps. Later requests are refused.
func (f *Function) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.instance == nil {
		return nil
	}
	var errs []error
	for _, c := range f.instance.close {
		if err := c(); err != nil {
			errs = append(errs, fmt.Errorf("end the function: %w", err))
		}
	}
	f.instance = nil
	return errors.Join(errs...)
}
