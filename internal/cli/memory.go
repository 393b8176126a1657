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
)

// fileMemory is a peer.Memory in a file. A half-written file cannot be seen: it is replaced as a whole.
type fileMemory struct {
	path string
	mu   sync.Mutex
}

// newFileMemory keeps the addresses of one group as known by the peer of that name. The comma is no character of an escaped name, so no two
// share a file.
func newFileMemory(dir, group, name string) (*fileMemory, error) {
	dir = filepath.Join(dir, "members")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("remembered members: %w", err)
	}
	return &fileMemory{path: filepath.Join(dir, url.PathEscape(group)+","+url.PathEscape(name)+".json")}, nil
}

// Load returns nothing when nothing was saved.
func (m *fileMemory) Load() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var addrs []string
	if err := json.Unmarshal(b, &addrs); err != nil {
		return nil, fmt.Errorf("%s: %w", m.path, err)
	}
	return addrs, nil
}

// Save replaces what was saved.
func (m *fileMemory) Save(addrs []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := json.Marshal(addrs)
	if err != nil {
		return err
	}
	tmp := m.path + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, m.path)
}
