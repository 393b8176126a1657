// Package host runs a simulation as a guest: the program built for wasip1, in wazero, with one thread, and with a clock and a source of
// chance that the host gives it. So the run depends on the spec and on the guest alone, down to the order in which goroutines run, and
// the same seed gives the same run, bit for bit.
//
// Guests run in processes of their own, the workers of a Pool. A guest that computes for ever cannot be ended otherwise: Go's runtime cannot
// interrupt the code that wazero makes, so it waits for it with all goroutines of the process when it next collects garbage. (wazero can
// look at a flag in each loop: then all guests take more than twice as long.)
package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// host is a compiled guest, which can be run any number of times. It lives as long as its process.
type host struct {
	runtime wazero.Runtime
	guest   wazero.CompiledModule
}

// newHost compiles a guest. cacheDir keeps what was compiled for the next time; empty keeps nothing. What is kept there and is damaged is
// compiled again.
func newHost(ctx context.Context, guest []byte, cacheDir string) (*host, error) {
	h, err := compile(ctx, guest, cacheDir)
	if err == nil || cacheDir == "" {
		return h, err
	}
	switch some, failed := forget(cacheDir); {
	case failed != nil:
		err = fmt.Errorf("%w; %w", err, failed)
	case !some: // then it was not for what was kept
		return nil, err
	default:
		if h, err = compile(ctx, guest, cacheDir); err == nil {
			return h, nil
		}
	}
	return nil, fmt.Errorf("%w; what was compiled before may be damaged: delete the folder %s, or set XDG_CACHE_HOME to have another one", err, cacheDir)
}

// forget deletes what was compiled, and reports whether there was something. The folders stay, and so does what has no name yet: another process
// may be about to write there.
func forget(cacheDir string) (some bool, err error) {
	err = filepath.WalkDir(cacheDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".tmp" {
			return err
		}
		some = true
		return os.Remove(path)
	})
	if errors.Is(err, fs.ErrNotExist) { // there was nothing, or another process deletes it too
		err = nil
	}
	return some, err
}

func compile(ctx context.Context, guest []byte, cacheDir string) (*host, error) {
	config := wazero.NewRuntimeConfigCompiler()
	if cacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(cacheDir)
		if err != nil {
			return nil, fmt.Errorf("cache of the simulation: %w", err)
		}
		config = config.WithCompilationCache(cache)
	}
	h := &host{runtime: wazero.NewRuntimeWithConfig(ctx, config)}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, h.runtime); err != nil {
		return nil, fmt.Errorf("simulation: %w", err)
	}
	var err error
	if h.guest, err = h.runtime.CompileModule(ctx, guest); err != nil {
		return nil, fmt.Errorf("compile the simulation: %w", err)
	}
	return h, nil
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
