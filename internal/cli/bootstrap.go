package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/event"
	"peerlab.example/peerlab/internal/metrics"
	"peerlab.example/peerlab/internal/network"
	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// defaultBootstrap is where the service listens and peers look for it.
const defaultBootstrap = "127.0.0.1:7700"

func newBootstrap(std Stdio) *cobra.Command {
	var c common
	var listen, http string
	var store storeConfig
	var ops operations
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "run the bootstrap service: it tells peers whom to contact first",
		Long: "Keeps a small roster of live peers for each group, and answers with it. A peer that stops\n" +
			"renewing its lease is dropped. Acknowledged changes survive a crash with --store file:PATH.",
		Example: "  peerlab bootstrap\n  peerlab bootstrap --listen 127.0.0.1:0 --store memory:",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logs, err := c.logs(std.Err, isTerminal(std.Err))
			if err != nil {
				return err
			}
			security, err := c.load()
			if err != nil {
				return err
			}
			if err := security.CheckBind("--listen", listen); err != nil {
				return exit{exitUsage, err}
			}
			if http != "" {
				if err := security.CheckBind("--http", http); err != nil {
					return exit{exitUsage, err}
				}
			}
			ctx, stop := untilSignal(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			s, err := store.open(ctx, ops.maxGroups, logs.Logger())
			if err != nil {
				return err
			}
			b, err := startBootstrap(ctx, bootstrapConfig{
				listen: listen, http: http, store: s, pace: store.pace(), network: network.System(), security: security, log: logs.Logger(),
				operations: ops, metrics: metrics.New(), operatorMethods: bootstrap.OperatorMethods(),
			})
			if err != nil {
				return errors.Join(err, s.Close())
			}
			_, _ = fmt.Fprintf(std.Out, "bootstrap service listens on %s%s\n", b.server.Addr(), b.http.note())
			<-ctx.Done()
			return b.Close()
		},
	}
	addSettings(cmd, bootstrapSettings(&c), func(v config.Values) error {
		c.fill(v)
		listen, http = v.Get("listen"), v.Get("http")
		c.security.Hosts = []string{hostOf(listen), hostOf(http)}
		store.fill(v)
		return ops.fill(v)
	}).addFile(cmd)
	return cmd
}

// bootstrapSettings are all settings of "peerlab bootstrap".
func bootstrapSettings(c *common) *config.Table {
	fields := []config.Field{
		{
			Key: "listen", Kind: app.Addr, Default: defaultBootstrap, Live: config.AtStart, Group: "service",
			Summary: "host:port of gRPC; port 0 means any",
		},
		{
			Key: "http", Kind: app.Addr, Live: config.AtStart, Group: "service",
			Summary: "host:port of HTTP/JSON; empty for none",
		},
	}
	c.operators = true
	return newTable("peerlab bootstrap", slices.Concat(fields, storeSettings(), operationSettings(), c.fields("info", "bootstrap", "node")), nil)
}

type bootstrapConfig struct {
	listen   string
	http     string // empty for none
	store    closingStore
	pace     time.Duration // between two looks at the store when nobody calls; 0 is the usual
	network  network.Network
	security *node.Security
	log      zerolog.Logger
	operations
	metrics         *metrics.Metrics // nil for none
	operatorMethods []string         // none where all who reach the service may do all
}

// bootstrapNode is a running bootstrap service with its gRPC server. It owns the store.
type bootstrapNode struct {
	server   *node.Server
	http     *bootstrapHTTP // nil for none
	service  *bootstrap.Service
	store    closingStore
	watchdog *node.Watchdog
	ops      operations
}

func startBootstrap(ctx context.Context, c bootstrapConfig) (*bootstrapNode, error) {
	events := event.New("bootstrap", event.Keep)
	b := &bootstrapNode{store: c.store, ops: c.operations}
	options := bootstrap.Options{Log: c.log, Emit: events.Emit, SweepInterval: c.pace}
	server := node.ServerConfig{
		Role: "bootstrap", Name: "bootstrap", Network: c.network, Security: c.security, Events: events, Log: c.log,
		OperatorMethods: c.operatorMethods, Limits: c.limits,
	}
	if c.metrics != nil {
		options.Meter, server.Observer = c.metrics, c.metrics
	}
	b.service = bootstrap.NewService(c.store, options)
	b.server = node.NewServer(server)
	bootstrapv1.RegisterBootstrapServiceServer(b.server, b.service)
	b.watchdog = node.NewWatchdog(node.WatchdogConfig{
		What: "store", Check: b.service.Healthy, Log: c.log, Every: c.pace, Timeout: c.pace / 6,
		Changed: func(ok bool) {
			b.server.SetServing(ok)
			if c.metrics != nil {
				c.metrics.SetHealthy(ok)
			}
		},
	})
	if err := b.server.Start(ctx, c.listen); err != nil {
		return nil, bindError(errors.Join(err, b.service.Close()))
	}
	if c.http != "" {
		var err error
		if b.http, err = startHTTP(ctx, c, b); err != nil {
			return nil, bindError(errors.Join(err, b.service.Close(), b.server.Close()))
		}
	}
	b.service.Start()
	b.watchdog.Start()
	return b, nil
}

// Close tells whoever looks at health, ends the watches, lets calls finish for as long as the configuration says,
// and closes the store.
func (b *bootstrapNode) Close() error {
	b.watchdog.Drain()
	b.server.Drain()
	time.Sleep(b.ops.drainDelay) // a second signal ends the process
	ctx, cancel := context.WithTimeout(context.Background(), max(b.ops.drain, httpGrace))
	defer cancel()
	err := errors.Join(b.watchdog.Close(), b.service.Close())
	if b.http != nil {
		err = errors.Join(err, b.http.Close(ctx))
	}
	return errors.Join(err, b.server.Shutdown(ctx), b.store.Close())
}

// httpGrace is how long HTTP requests that are under way may take when the service ends.
const httpGrace = time.Second

// bindError gives a listener that cannot be opened its exit code.
func bindError(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "listen" {
		return exit{exitUnreachable, err}
	}
	return err
}
