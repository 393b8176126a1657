// Package host runs a simulation as a guest: the program built for wasip1, in wazero, with one thread, and with a clock and a source of
// chance that the host gives it. So the run depends on the spec and on the guest alone, down to the order in which goroutines run, and
// the same seed gives the same run, bit for bit.
package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"peerlab.example/peerlab/internal/sim"
)

// Host is a compiled guest, which can be run any number of times, by several goroutines at once.
type Host struct {
	runtime wazero.Runtime
	guest   wazero.CompiledModule
	cache   wazero.CompilationCache
}

// New compiles a guest. cacheDir keeps what was compiled for the next time; empty keeps nothing. The caller closes the host.
func New(ctx context.Context, guest []byte, cacheDir string) (h *Host, err error) {
	h = &Host{}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close(context.WithoutCancel(ctx)))
		}
	}()
	config := wazero.NewRuntimeConfigCompiler()
	if cacheDir != "" {
		if h.cache, err = wazero.NewCompilationCacheWithDir(cacheDir); err != nil {
			return h, fmt.Errorf("cache of the simulation: %w", err)
		}
		config = config.WithCompilationCache(h.cache)
	}
	h.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, h.runtime); err != nil {
		return h, fmt.Errorf("simulation: %w", err)
	}
	if h.guest, err = h.runtime.CompileModule(ctx, guest); err != nil {
		return h, fmt.Errorf("compile the simulation: %w", err)
	}
	return h, nil
}

// Close frees all that the host holds. No run may be under way.
func (h *Host) Close(ctx context.Context) error {
	var err error
	if h.runtime != nil {
		err = h.runtime.Close(ctx)
	}
	if h.cache != nil {
		err = errors.Join(err, h.cache.Close(ctx))
	}
	return err
}

// Stats are what a run has cost.
type Stats struct {
	// Virtual is how much time has passed in the guest.
	Virtual time.Duration
	// Memory is what the guest has taken at last, in bytes.
	Memory uint64
}

// PanicError is a guest that broke.
type PanicError struct {
	Seed uint64
	// Stderr is what it wrote, which is the reason and the stacks of its goroutines.
	Stderr string
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("the simulation broke, with seed %d:\n%s", e.Seed, e.Stderr)
}

// Run runs a spec. text gets what a person watches, as it happens. When ctx ends, so does the guest where it next looks at its clock.
func (h *Host) Run(ctx context.Context, spec *sim.Spec, text io.Writer) (*sim.Outcome, Stats, error) {
	in, reader, err := sim.Send(spec, text)
	if err != nil {
		return nil, Stats{}, err
	}
	var c clock
	stderr := &bytes.Buffer{}
	stop := func() {
		if ctx.Err() != nil {
			panic(sys.NewExitError(exitStopped))
		}
	}
	config := wazero.NewModuleConfig().WithName("").WithArgs("peerlab").
		WithStdin(bytes.NewReader(in)).WithStdout(reader).WithStderr(stderr).
		WithRandSource(&chance{rand.NewPCG(spec.Seed, 0)}).
		WithWalltime(c.wall, sys.ClockResolution(tick)).WithNanotime(c.nano, sys.ClockResolution(tick)).
		WithNanosleep(func(ns int64) { stop(); c.sleep(ns) })
	module, err := h.runtime.InstantiateModule(ctx, h.guest, config)
	stats := Stats{Virtual: c.now}
	if module != nil {
		stats.Memory = uint64(module.Memory().Size())
		err = errors.Join(err, module.Close(context.WithoutCancel(ctx)))
	}
	var exited *sys.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, stats, context.Cause(ctx)
	case errors.As(err, &exited) && exited.ExitCode() == 0:
	case err != nil:
		return nil, stats, &PanicError{Seed: spec.Seed, Stderr: stderr.String() + "\n" + err.Error()}
	}
	outcome, err := reader.Outcome()
	return outcome, stats, err
}

// exitStopped is the exit code of a guest that its host ended.
const exitStopped = 130

// chance is the randomness of a guest.
type chance struct{ source *rand.PCG }

// Read never fails.
func (c *chance) Read(b []byte) (int, error) {
	for i := 0; i < len(b); i += 8 {
		v := c.source.Uint64()
		for j := i; j < min(i+8, len(b)); j++ {
			b[j] = byte(v)
			v >>= 8
		}
	}
	return len(b), nil
}
