package guest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// wasm is as much of a guest as Find looks at.
var wasm = []byte("\x00asm, and so on")

// cacheOf is a Config of which the text shows what it has told the user.
func cacheOf(dir string) (*Config, *strings.Builder) {
	said := &strings.Builder{}
	return &Config{Cache: dir, Say: func(format string, args ...any) { _, _ = fmt.Fprintf(said, format+"\n", args...) }}, said
}

func write(t *testing.T, data []byte, path ...string) string {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDamagedGuest checks that a guest which is kept, and has become another one, is written again.
func TestDamagedGuest(t *testing.T) {
	t.Parallel()
	c, _ := cacheOf(t.TempDir())
	g, err := c.found("", wasm)
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range [][]byte{nil, wasm[1:], bytes.ToUpper(wasm)} {
		write(t, damaged, g.File)
		if _, err := c.found("", wasm); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(g.File); err != nil || !bytes.Equal(got, wasm) {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// TestCompilingIsAnnounced checks that a folder in which there is nothing yet is not one of a guest that is compiled.
func TestCompilingIsAnnounced(t *testing.T) {
	t.Parallel()
	c, said := cacheOf(t.TempDir())
	announced := func() bool {
		t.Helper()
		said.Reset()
		if _, err := c.found("", wasm); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(said.String(), "compiling the guest")
	}
	g, err := c.found("", wasm)
	if err != nil {
		t.Fatal(err)
	}
	write(t, nil, g.Compiled, "wazero", "half.1.tmp")
	if !announced() {
		t.Error("after a try that failed, it is not said that compiling takes long")
	}
	write(t, nil, g.Compiled, "wazero", "whole")
	if announced() {
		t.Error("it is said though all is compiled")
	}
}

// TestReadOnlyCache checks that one which has all is as good as another, and that the user is told what to do of one that has not.
func TestReadOnlyCache(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("no permission keeps this user from writing")
	}
	c, _ := cacheOf(t.TempDir())
	g, err := c.found("", wasm)
	if err != nil {
		t.Fatal(err)
	}
	write(t, nil, g.Compiled, "wazero", "whole")
	protect := func(mode fs.FileMode) {
		for _, dir := range []string{g.Compiled, filepath.Dir(g.File), c.Cache} {
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	protect(0o500)
	defer protect(0o700)
	if _, err := c.found("", wasm); err != nil {
		t.Error(err)
	}
	protect(0o700)
	if err := os.Remove(filepath.Join(g.Compiled, "wazero", "whole")); err != nil {
		t.Fatal(err)
	}
	protect(0o500)
	for _, guest := range [][]byte{wasm, []byte("\x00asm, and another one")} {
		if _, err := c.found("", guest); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "XDG_CACHE_HOME") {
			t.Errorf("%q: %v", guest, err)
		}
	}
}

// TestNoCache checks that whoever has no folder for a cache is told how to have one elsewhere.
func TestNoCache(t *testing.T) {
	t.Parallel()
	c, said := cacheOf(filepath.Join(write(t, nil, t.TempDir(), "file"), "cache"))
	_, found := c.found("", wasm)
	_, built := c.built(t.Context(), embeddedFor)
	for _, err := range []error{found, built} {
		if err == nil || !strings.Contains(err.Error(), "XDG_CACHE_HOME") {
			t.Error(err)
		}
	}
	if said.Len() > 0 {
		t.Errorf("said %q", said)
	}
}

// TestPrune checks that no guest is deleted which a run may still want, and that not all stay for ever.
func TestPrune(t *testing.T) {
	t.Parallel()
	c, _ := cacheOf(t.TempDir())
	now := time.Now()
	ages := map[string]time.Duration{
		"guest-now": 0, "program-soon": 10 * time.Minute, "guest-recent": time.Hour, "guest-still": 119 * time.Minute,
		"guest-old": 121 * time.Minute, "program-old": 1000 * time.Hour, "another": 1000 * time.Hour,
	}
	for name, age := range ages {
		write(t, wasm, c.Cache, name, guestFile)
		if err := os.Chtimes(filepath.Join(c.Cache, name), now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want ...string) {
		t.Helper()
		entries, err := os.ReadDir(c.Cache)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	c.prune(now)
	check("another", "guest-now", "guest-recent", "guest-still", "program-soon")
	c.prune(now.Add(48 * time.Hour))
	check("another", "guest-now", "guest-recent", "program-soon")
	c.prune(now.Add(96 * time.Hour)) // of the few that are kept, any age
	check("another", "guest-now", "guest-recent", "program-soon")
}

// TestFileThatIsNoGuest checks that the file is to blame then, and that the cache has nothing of it.
func TestFileThatIsNoGuest(t *testing.T) {
	t.Parallel()
	c, _ := cacheOf(t.TempDir())
	dir := t.TempDir()
	for _, file := range []string{filepath.Join(dir, "none"), dir, write(t, []byte("\x7fELF"), dir, "program"), write(t, nil, dir, "empty")} {
		c.File = file
		_, err := Find(t.Context(), *c)
		if wrong := (*FileError)(nil); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if entries, err := os.ReadDir(c.Cache); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
	c.File = write(t, wasm, dir, "guest")
	if g, err := Find(t.Context(), *c); err != nil || g.File != c.File {
		t.Errorf("%v, %v", g, err)
	}
}
