package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/function"
	"peerlab.example/peerlab/internal/bootstrap/store/bolt"
	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/node"
)

// storeForms are the values of --store.
const storeForms = "memory:, file:PATH, etcd://HOST:PORT,…/PREFIX or firestore://PROJECT/COLLECTION"

// closingStore is a store that the process owns.
type closingStore interface {
	bootstrap.Store
	io.Closer
}

// storeConfig says where rosters are kept.
type storeConfig struct {
	spec string              // of --store; empty is the default
	tls  node.SecurityConfig // files for the connection to etcd
}

// storeSettings are the settings of a storeConfig.
func storeSettings() []config.Field {
	file := func(key, summary string) config.Field {
		return config.Field{Key: key, Kind: app.File, Live: config.AtStart, Group: "store", Summary: summary}
	}
	return []config.Field{
		{
			Key: "store", Kind: app.Text, Live: config.AtStart, Group: "store",
			Summary: storeForms + " (default file: bootstrap.db in the user's state directory)",
		},
		file("store-ca", "PEM certificates to verify etcd with; with them the connection is encrypted"),
		file("store-cert", "PEM certificate to show to etcd; wants store-ca and store-key"),
		file("store-key", "PEM key of that certificate"),
	}
}

func (c *storeConfig) fill(v config.Values) {
	c.spec = v.Get("store")
	c.tls = node.SecurityConfig{CAFile: v.Get("store-ca"), CertFile: v.Get("store-cert"), KeyFile: v.Get("store-key")}
}

// pace is how often the service may look at the store when nobody calls; 0 is the usual second. Firestore bills each
// look, and gives 50,000 a day for nothing: https://cloud.google.com/firestore/quotas.
func (c *storeConfig) pace() time.Duration {
	if strings.HasPrefix(c.spec, "firestore:") {
		return 30 * time.Second
	}
	return 0
}

// open opens the store for at most so many groups.
func (c *storeConfig) open(ctx context.Context, maxGroups int, log zerolog.Logger) (closingStore, error) {
	spec := c.spec
	kind, rest, ok := strings.Cut(spec, ":")
	if kind != "etcd" && c.tls.CAFile+c.tls.CertFile+c.tls.KeyFile != "" {
		return nil, exit{exitUsage, errors.New("--store-ca, --store-cert and --store-key are for --store etcd://…")}
	}
	switch {
	case spec == "":
		dir, err := stateDir()
		if err != nil {
			return nil, err
		}
		return bolt.Open(filepath.Join(dir, "bootstrap.db"), maxGroups)
	case ok && kind == "memory" && rest == "":
		return memory.New(maxGroups), nil
	case ok && kind == "file" && rest != "":
		return bolt.Open(rest, maxGroups)
	case kind == "etcd":
		return c.openEtcd(ctx, maxGroups, log)
	case kind == "firestore":
		c, err := firestore.Parse(spec)
		if err != nil {
			return nil, exit{exitUsage, fmt.Errorf("--store: %w", err)}
		}
		c.Log, c.MaxGroups, c.Endpoint = log, maxGroups, os.Getenv(function.EnvEmulator)
		return firestore.Open(ctx, c)
	}
	return nil, exit{exitUsage, fmt.Errorf("--store %q is none of %s", spec, storeForms)}
}

func (c *storeConfig) openEtcd(ctx context.Context, maxGroups int, log zerolog.Logger) (closingStore, error) {
	e, err := etcd.Parse(c.spec)
	if err != nil {
		return nil, exit{exitUsage, fmt.Errorf("--store: %w", err)}
	}
	if c.tls.CertFile != "" && c.tls.CAFile == "" {
		return nil, exit{exitUsage, errors.New("--store-cert wants --store-ca, to verify etcd with")}
	}
	security, err := node.LoadSecurity(c.tls)
	if err != nil {
		return nil, exit{exitUsage, fmt.Errorf("--store-ca, --store-cert, --store-key: %w", err)}
	}
	e.Log, e.MaxGroups, e.TLS = log, maxGroups, security.ClientTLS()
	store, err := etcd.Open(ctx, e)
	if err != nil {
		return nil, exit{exitUnreachable, err}
	}
	return store, nil
}
