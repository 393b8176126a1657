// Package guest finds the guest of the simulation: this same program, built for wasip1. It is embedded in the binary where `task build` made
// it; else it is built when it is first wanted, with the Go toolchain of the user, and kept.
package guest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"peerlab.example/peerlab/internal/atomicfile"
)

// embeddedFor is the program whose guest can be embedded. Another one has other applications.
const embeddedFor = "peerlab.example/peerlab/cmd/peerlab"

// Config says where to look.
type Config struct {
	// File is a guest on disk; empty looks elsewhere.
	File string
	// Cache is a folder for guests that were built, and for what is compiled of them. Those of other versions of the program are
	// deleted there when there are more than a few.
	Cache string
	// Say tells the user why it takes so long.
	Say func(format string, args ...any)
}

// Guest is the file of a guest, and a folder for what is compiled of it.
type Guest struct{ File, Compiled string }

// Find gives the guest of this program.
func Find(ctx context.Context, c Config) (*Guest, error) {
	if c.File != "" {
		wasm, err := os.ReadFile(c.File)
		if err != nil {
			return nil, fmt.Errorf("guest of the simulation: %w", err)
		}
		return c.found(c.File, wasm)
	}
	program := programPath()
	if len(embedded) > 0 && program == embeddedFor {
		wasm, err := unpack(embedded)
		if err != nil {
			return nil, fmt.Errorf("guest of the simulation: %w", err)
		}
		return c.found("", wasm)
	}
	return c.built(ctx, program)
}

// lockEvery is how often a process looks whether the one that builds is done.
const lockEvery = 100 * time.Millisecond

// found gives a guest that is there a folder by its content, and a file there if it is in none.
func (c *Config) found(file string, wasm []byte) (*Guest, error) {
	sum := sha256.Sum256(wasm)
	dir := filepath.Join(c.Cache, "guest-"+hex.EncodeToString(sum[:12]))
	if err := c.use(dir); err != nil {
		return nil, err
	}
	if file == "" {
		file = filepath.Join(dir, "guest.wasm")
		if err := keep(file, wasm); err != nil {
			return nil, fmt.Errorf("cache of the simulation: %w", err)
		}
	}
	return c.guest(file, dir), nil
}

// keep writes a file that is not there, or not whole.
func keep(file string, data []byte) error {
	if info, err := os.Stat(file); err == nil && info.Size() == int64(len(data)) {
		return nil
	}
	return atomicfile.Write(file, 0o600, false, atomicfile.Bytes(data))
}

// guest is what is in a folder of the cache. It says so if it is still to be compiled.
func (c *Config) guest(file, dir string) *Guest {
	g := &Guest{File: file, Compiled: filepath.Join(dir, "compiled")}
	if _, err := os.Stat(g.Compiled); err != nil {
		c.Say("compiling the guest of the simulation, once for this version of the program; this takes up to a minute")
	}
	return g
}

// built gives the guest that was built before for this very program, or builds it. Of several processes, one does.
func (c *Config) built(ctx context.Context, program string) (*Guest, error) {
	sum, err := ownSum()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.Cache, "program-"+sum)
	if err := c.use(dir); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if _, err := lock.TryLockContext(ctx, lockEvery); err != nil {
		return nil, fmt.Errorf("cache of the simulation: %w", err)
	}
	defer func() { _ = lock.Close() }()
	file := filepath.Join(dir, "guest.wasm")
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		c.Say("building the guest of the simulation, once for this version of the program; this takes up to a minute")
		if err := Build(ctx, program, file); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	return c.guest(file, dir), nil
}

// kept is how many guests are kept. Each is some 30 MB, and as much again three times when it is compiled.
const kept = 3

// use makes the folder of a guest, marks it as used, and deletes those that were not used for longest.
func (c *Config) use(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cache of the simulation: %w", err)
	}
	now := time.Now()
	if err := os.Chtimes(dir, now, now); err != nil {
		return fmt.Errorf("cache of the simulation: %w", err)
	}
	entries, err := os.ReadDir(c.Cache)
	if err != nil {
		return fmt.Errorf("cache of the simulation: %w", err)
	}
	type old struct {
		path string
		used int64
	}
	var all []old
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "guest-") && !strings.HasPrefix(e.Name(), "program-") {
			continue
		}
		if info, err := e.Info(); err == nil {
			all = append(all, old{filepath.Join(c.Cache, e.Name()), info.ModTime().UnixNano()})
		}
	}
	slices.SortFunc(all, func(a, b old) int { return int(min(max(b.used-a.used, -1), 1)) })
	for _, o := range all[min(kept, len(all)):] {
		_ = os.RemoveAll(o.path) // another process may be in it; then it goes another time
	}
	return nil
}

// unpack undoes gzip.
func unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// ownSum is what tells this program from all others.
func ownSum() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("this program's own path: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("this program: %w", err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("this program: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// programPath is the import path of this program's package main; empty where the build does not tell.
func programPath() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return strings.TrimSuffix(info.Path, ".test") // the tests of a program may be the program
}
