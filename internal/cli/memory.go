package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"peerlab.example/peerlab/internal/peer"
)

// fileMemory is a peer.Memory in a file. A half-written file cannot be seen: it is replaced as a whole.
type fileMemory struct {
	path string
	mu   sync.Mutex
}

// newFileMemory keeps what the peer of that name remembers of one group. The comma is no character of an escaped name, so no two
// share a file.
func newFileMemory(dir, group, name string) (*fileMemory, error) {
	dir = filepath.Join(dir, "members")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("remembered members: %w", err)
	}
	return &fileMemory{path: filepath.Join(dir, url.PathEscape(group)+","+url.PathEscape(name)+".json")}, nil
}

// Load returns nothing when nothing was saved.
func (m *fileMemory) Load() (peer.Remembered, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return peer.Remembered{}, nil
	}
	if err != nil {
		return peer.Remembered{}, err
	}
	var r peer.Remembered
	if err := json.Unmarshal(b, &r); err != nil {
		return peer.Remembered{}, fmt.Errorf("%s: %w", m.path, err)
	}
	return r, nil
}

// Save replaces what was saved.
func (m *fileMemory) Save(r peer.Remembered) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	tmp := m.path + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, m.path)
}
