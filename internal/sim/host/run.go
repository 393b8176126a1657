package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"

	"peerlab.example/peerlab/internal/sim"
)

// job is one run, as a worker is sent it.
type job struct {
	Seed uint64
	Spec []byte
}

// ended is how a guest has ended.
type ended struct {
	Stats  Stats
	Failed string // empty where it did all that it should
	Stderr string
}

// run runs one guest. out gets what it writes, and beat is called where it looks at its clock, which Go's runtime does whenever another
// goroutine has its turn.
func (h *host) run(ctx context.Context, j job, out io.Writer, beat func()) *ended {
	var clock clock
	var stderr sim.Stderr
	config := wazero.NewModuleConfig().WithName("").WithArgs("peerlab").
		WithStdin(bytes.NewReader(j.Spec)).WithStdout(out).WithStderr(&stderr).
		WithRandSource(&chance{rand.NewPCG(j.Seed, 0)}).
		WithWalltime(func() (int64, int32) { beat(); return clock.wall() }, sys.ClockResolution(tick)).
		WithNanotime(func() int64 { beat(); return clock.nano() }, sys.ClockResolution(tick)).
		WithNanosleep(func(ns int64) { beat(); clock.sleep(ns) })
	var e ended
	module, err := h.runtime.InstantiateModule(ctx, h.guest, config)
	if module != nil {
		if memory := module.ExportedMemory("memory"); memory != nil { // any program of Go has one
			e.Stats.Memory = uint64(memory.Size())
		}
		err = errors.Join(err, module.Close(ctx))
	}
	var exited *sys.ExitError
	if err != nil && (!errors.As(err, &exited) || exited.ExitCode() != 0) {
		e.Failed = err.Error()
	}
	e.Stats.Virtual, e.Stderr = clock.now, stderr.String()
	return &e
}
