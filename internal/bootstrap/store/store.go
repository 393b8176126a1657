// Package store opens a bootstrap store by its address, as `peerlab bootstrap --store` takes it.
package store

import (
	"fmt"
	"io"
	"strings"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/bolt"
	"peerlab.example/peerlab/internal/bootstrap/store/memory"
)

// Store is a bootstrap store with an owner.
type Store interface {
	bootstrap.Store
	io.Closer
}

// Open opens "memory:" or "file:PATH". maxGroups is how many groups the store holds;
// 0 means bootstrap.DefaultMaxGroups.
func Open(address string, maxGroups int) (Store, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	switch {
	case scheme == "memory" && rest == "":
		return memory.New(maxGroups), nil
	case scheme == "file" && rest != "":
		s, err := bolt.Open(rest, maxGroups)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	return nil, fmt.Errorf("open store %q: must be memory: or file:PATH", address)
}
