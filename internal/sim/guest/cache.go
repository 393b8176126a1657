package guest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/atomicfile"
)

// The cache has a folder for each guest, which is called after the guest's sum, or after that of the program that it was built for.
const (
	ofGuest   = "guest-"
	ofProgram = "program-"

	nameLen = 24 // digits of a sum that are enough for a name

	guestFile = "guest.wasm"
	sumFile   = "guest.sum" // that of a guest that was built: its folder has another one in its name
)

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// unwritable is the error of a cache that cannot be written, though something is missing there.
func unwritable(err error) error {
	return fmt.Errorf("cache of the simulation: %w; to have it in another folder, set XDG_CACHE_HOME", err)
}

// use makes the folder of a guest, and marks it as used. A cache that is read-only can have all that is needed: it stays as it is.
func (c *Config) use(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unwritable(err)
	}
	now := time.Now()
	if os.Chtimes(dir, now, now) == nil {
		c.prune(now)
	}
	return nil
}

// kept is how many guests are kept. Each is some 30 MB, and as much again three times when it is compiled.
const kept = 3

// keptFor is how long a guest is kept in any case: a run may go on that has begun with it, and that wants it again for further workers.
const keptFor = 2 * time.Hour

// prune deletes the guests that were not used for longest.
func (c *Config) prune(now time.Time) {
	entries, err := os.ReadDir(c.Cache)
	if err != nil {
		return // nothing depends on it, and there is another time
	}
	type folder struct {
		path string
		used time.Time
	}
	var all []folder
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ofGuest) && !strings.HasPrefix(e.Name(), ofProgram) {
			continue
		}
		if info, err := e.Info(); err == nil {
			all = append(all, folder{filepath.Join(c.Cache, e.Name()), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b folder) int { return b.used.Compare(a.used) })
	for _, f := range all[min(kept, len(all)):] {
		if now.Sub(f.used) > keptFor {
			_ = os.RemoveAll(f.path) // if that fails, it goes another time
		}
	}
}

// keep writes a file that is not there, or that has become another one: what is damaged would be so for good.
func keep(file string, data []byte) error {
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return atomicfile.Write(file, 0o600, false, atomicfile.Bytes(data))
}

// whole reports whether there is a guest in the folder as it was when it was moved there.
func whole(dir string) bool {
	wasm, err := os.ReadFile(filepath.Join(dir, guestFile))
	if err != nil {
		return false
	}
	sum, err := os.ReadFile(filepath.Join(dir, sumFile))
	return err == nil && string(sum) == sumOf(wasm)
}

// move puts a guest that was built into its folder. The sum is first: a guest without it would be built again.
func move(file, dir string) error {
	wasm, err := os.ReadFile(file)
	if err != nil {
		return unwritable(err)
	}
	if err := keep(filepath.Join(dir, sumFile), []byte(sumOf(wasm))); err != nil {
		return unwritable(err)
	}
	if err := os.Rename(file, filepath.Join(dir, guestFile)); err != nil {
		return unwritable(err)
	}
	return nil
}

// guest is what is in a folder of the cache. It says so if it is still to be compiled.
func (c *Config) guest(file, dir string) (*Guest, error) {
	g := &Guest{File: file, Compiled: filepath.Join(dir, "compiled")}
	if compiled(g.Compiled) {
		return g, nil
	}
	if err := writable(g.Compiled); err != nil { // known now, and not when the minute is over
		return nil, unwritable(err)
	}
	c.Say("compiling the guest of the simulation, once for this version of the program; this takes up to a minute")
	return g, nil
}

// compiled reports whether there is something in the folder for what is compiled. One who was ended meanwhile has left what has no name yet.
func compiled(dir string) bool {
	found := false
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error { // what cannot be read is not there
		if err == nil && d.Type().IsRegular() && filepath.Ext(path) != ".tmp" {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found
}

// writable makes the folder, and reports whether files can be made there.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return atomicfile.Try(dir) // with a name that compiled passes over
}
