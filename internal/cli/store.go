package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/function"
	"peerlab.example/peerlab/internal/bootstrap/store/bolt"
	"peerlab.example/peerlab/internal/bootstrap/store/etcd"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
)

// storeForms are the values of --store.
const storeForms = "memory:, file:PATH, etcd://HOST:PORT,…/PREFIX or firestore://PROJECT/COLLECTION"

// closingStore is a store that the process owns.
type closingStore interface {
	bootstrap.Store
	io.Closer
}

// openStore opens what --store names, for at most so many groups.
func openStore(ctx context.Context, spec string, maxGroups int, log zerolog.Logger) (closingStore, error) {
	kind, rest, ok := strings.Cut(spec, ":")
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
		c, err := etcd.Parse(spec)
		if err != nil {
			return nil, exit{exitUsage, fmt.Errorf("--store: %w", err)}
		}
		c.Log, c.MaxGroups = log, maxGroups
		store, err := etcd.Open(ctx, c)
		if err != nil {
			return nil, exit{exitUnreachable, err}
		}
		return store, nil
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
