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
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// embeddedFor is the program whose guest can be embedded. Another one has other applications.
const embeddedFor = "peerlab.example/peerlab/cmd/peerlab"

// Config says where to look.
type Config struct {
	// File is a guest on disk; empty looks elsewhere.
	File string
	// Cache is a folder for guests that were built, and for what is compiled of them. Those of other versions of the program are
	// deleted there when there are more than a few, and they were not used for long. It may be read-only if all that is needed is there.
	Cache string
	// Say tells the user why it takes so long.
	Say func(format string, args ...any)
}

// Guest is the file of a guest, and a folder for what is compiled of it.
type Guest struct{ File, Compiled string }

// FileError is what is wrong with Config.File.
type FileError struct{ Err error }

func (e *FileError) Error() string { return "guest of the simulation: " + e.Err.Error() }

// Unwrap implements the interface of package errors.
func (e *FileError) Unwrap() error { return e.Err }

// errNotWasm is a FileError's.
var errNotWasm = errors.New("that is no WebAssembly")

// Find gives the guest of this program. Where it is Config.File that is wrong, the error is a FileError.
func Find(ctx context.Context, c Config) (*Guest, error) {
	if c.File != "" {
		wasm, err := os.ReadFile(c.File)
		if err == nil && !bytes.HasPrefix(wasm, []byte("\x00asm")) {
			err = errNotWasm
		}
		if err != nil {
			return nil, &FileError{err}
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

// found gives a guest that is there a folder by its content, and a file there if it is in none.
func (c *Config) found(file string, wasm []byte) (*Guest, error) {
	dir := filepath.Join(c.Cache, ofGuest+sumOf(wasm)[:nameLen])
	if err := c.use(dir); err != nil {
		return nil, err
	}
	if file == "" {
		file = filepath.Join(dir, guestFile)
		if err := keep(file, wasm); err != nil {
			return nil, unwritable(err)
		}
	}
	return c.guest(file, dir)
}

// built gives the guest that was built before for this very program, or builds it.
func (c *Config) built(ctx context.Context, program string) (*Guest, error) {
	sum, err := ownSum()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.Cache, ofProgram+sum[:nameLen])
	if err := c.use(dir); err != nil {
		return nil, err
	}
	if !whole(dir) {
		if err := c.build(ctx, program, dir); err != nil {
			return nil, err
		}
	}
	return c.guest(filepath.Join(dir, guestFile), dir)
}

// lockEvery is how often a process looks whether the one that builds is done.
const lockEvery = 100 * time.Millisecond

// build builds the guest into its folder. Of several processes, one does.
func (c *Config) build(ctx context.Context, program, dir string) error {
	lock := flock.New(filepath.Join(dir, "lock"))
	if _, err := lock.TryLockContext(ctx, lockEvery); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("build the guest of the simulation: %w", err)
		}
		return unwritable(err)
	}
	defer func() { _ = lock.Close() }()
	if whole(dir) { // another one has
		return nil
	}
	tmp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return unwritable(err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	b, err := prepare(ctx, program, tmp)
	if err != nil {
		return err
	}
	c.Say("building the guest of the simulation, once for this version of the program; this takes up to a minute")
	out, err := b.build(ctx)
	if err != nil {
		return err
	}
	return move(out, dir)
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
	return hex.EncodeToString(h.Sum(nil)), nil
}

// programPath is the import path of this program's package main; empty where the build does not tell.
func programPath() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return strings.TrimSuffix(info.Path, ".test") // the tests of a program may be the program
}
