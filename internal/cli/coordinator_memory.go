package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"peerlab.example/peerlab/internal/testcoord"
)

// memories are what the peers of a run remember from one start to the next, as a user's peers do: a folder that is gone after the
// run.
type memories struct{ dir string }

// newMemories makes the folder. The caller calls Close, after the processes of the run have ended.
func newMemories() (*memories, error) {
	dir, err := os.MkdirTemp("", "peerlab-run-")
	if err != nil {
		return nil, fmt.Errorf("what peers remember: %w", err)
	}
	return &memories{dir}, nil
}

// of is the folder of one peer.
func (m *memories) of(name string) string { return filepath.Join(m.dir, name) }

// Forget makes a peer that has ended start as one that knows nobody.
func (m *memories) Forget(name string) error { return os.RemoveAll(m.of(name)) }

// Close removes the folder.
func (m *memories) Close() error { return os.RemoveAll(m.dir) }

// forgetfulRunner is a runner whose peers can be made to forget; see testcoord.Forgetter.
type forgetfulRunner struct {
	testcoord.Runner
	*memories
}
