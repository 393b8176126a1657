package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"peerlab.example/peerlab/internal/bootstrap/store/memory"
	"peerlab.example/peerlab/internal/bootstrap/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(_ *testing.T, maxGroups int) storetest.Closer { return memory.New(maxGroups) })
}
