// Package host runs a simulation as a guest: the program built for wasip1, in wazero, with one thread, and with a clock and a source of
// chance that the host gives it. So the run depends on the spec and on the guest alone, down to the order in which goroutines run, and
// the same seed gives the same run, bit for bit.
package host

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// Host is a compiled guest, which can be run any number of times, by several goroutines at once.
type Host struct {
	runtime wazero.Runtime
	guest   wazero.CompiledModule
	cache   wazero.CompilationCache
	givenUp atomic.Bool // a run was, and may go on
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

// Close frees all that the host holds. No run may be under way. If one was given up, all is left to the end of the process, since that run may
// still compute.
func (h *Host) Close(ctx context.Context) error {
	if h.givenUp.Load() {
		return nil
	}
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
