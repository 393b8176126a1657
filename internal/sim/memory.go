package sim

import (
	"sync"

	"peerlab.example/peerlab/internal/peer"
)

// memories are what the peers of a run remember from one start to the next, in place of their disks. It is a testcoord.Forgetter.
type memories struct {
	mu   sync.Mutex
	kept map[string]peer.Remembered // guarded by mu; by name of the peer
}

// of is the memory of one peer.
func (m *memories) of(name string) peer.Memory { return memory{m, name} }

// Forget makes the peer start as one that knows nobody.
func (m *memories) Forget(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, name)
	return nil
}

// memory is a peer.Memory.
type memory struct {
	all  *memories
	name string
}

// Load returns what was saved last.
func (m memory) Load() (peer.Remembered, error) {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	return m.all.kept[m.name], nil
}

// Save replaces what was saved.
func (m memory) Save(r peer.Remembered) error {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	if m.all.kept == nil {
		m.all.kept = map[string]peer.Remembered{}
	}
	m.all.kept[m.name] = r
	return nil
}
