package cli

import (
	"context"
	"errors"
	"net/http"

	"peerlab.example/peerlab/internal/bootstrap/gateway"
	"peerlab.example/peerlab/internal/node"
)

// bootstrapHTTP is the HTTP side of the service: the same calls as JSON.
type bootstrapHTTP struct {
	server *node.HTTPServer
	close  func() error
}

// startHTTP serves HTTP/JSON in front of a gRPC server, through a connection in memory.
func startHTTP(ctx context.Context, c bootstrapConfig, b *bootstrapNode) (*bootstrapHTTP, error) {
	local, err := b.server.Local()
	if err != nil {
		return nil, err
	}
	options := gateway.Options{MaxRequestBytes: int64(c.limits.MaxRequestBytes)}
	if c.metrics != nil {
		options.LimitHit = c.metrics.LimitHit
	}
	h, err := gateway.NewHandler(local, options)
	if err != nil {
		return nil, errors.Join(err, local.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("/", admitted(b.server, h))
	mux.Handle("GET /healthz", b.watchdog.Handler())
	mux.Handle("GET /livez", node.Alive())
	if c.metrics != nil {
		mux.Handle("GET /metrics", admitted(b.server, c.security.Guard(c.metrics.Handler())))
	}
	s, err := node.StartHTTP(ctx, c.network, c.security, "--http", c.http, mux, c.log)
	if err != nil {
		return nil, errors.Join(err, local.Close())
	}
	return &bootstrapHTTP{server: s, close: local.Close}, nil
}

// admitted takes each request from the rates, also one that never becomes a call: the rate comes before the token.
func admitted(server *node.Server, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := server.Admit(req.RemoteAddr); err != nil {
			gateway.WriteError(w, err)
			return
		}
		h.ServeHTTP(w, req)
	})
}

// note tells a user where HTTP/JSON is; nothing if it is nowhere.
func (b *bootstrapHTTP) note() string {
	if b == nil {
		return ""
	}
	return ", HTTP/JSON at " + b.server.URL()
}

// Close lets requests finish until ctx ends.
func (b *bootstrapHTTP) Close(ctx context.Context) error {
	return errors.Join(b.server.Close(ctx), b.close())
}
