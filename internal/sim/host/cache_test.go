package host

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tiny is a guest with one function, which does nothing.
var tiny = []byte("\x00asm\x01\x00\x00\x00" + "\x01\x04\x01\x60\x00\x00" + "\x03\x02\x01\x00" + "\x0a\x04\x01\x02\x00\x0b")

// compiledFile is the only file in the folder.
func compiledFile(t *testing.T, dir string) string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) != 1 {
		t.Fatalf("got %v, %v, want one file", files, err)
	}
	return files[0]
}

// TestDamagedCache checks that what was compiled, and is damaged, is compiled again.
func TestDamagedCache(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func([]byte) []byte{
		"empty":    func([]byte) []byte { return nil },
		"cut":      func(b []byte) []byte { return b[:len(b)/2] },
		"altered":  func(b []byte) []byte { b[len(b)/2] ^= 0xff; return b },
		"no magic": func(b []byte) []byte { b[0] = 'X'; return b },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "compiled")
			if _, err := newHost(t.Context(), tiny, dir); err != nil {
				t.Fatal(err)
			}
			file := compiledFile(t, dir)
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, damage(bytes.Clone(want)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := newHost(t.Context(), tiny, dir); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(compiledFile(t, dir)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("it is still damaged: %v", err)
			}
		})
	}
}

// TestCacheThatCannotBeMended checks that the error says what to delete then.
func TestCacheThatCannotBeMended(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "compiled")
	if _, err := newHost(t.Context(), tiny, dir); err != nil {
		t.Fatal(err)
	}
	file := compiledFile(t, dir)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(file, "folder"), 0o700); err != nil { // which is no file that could be read, or replaced
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(file, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newHost(t.Context(), tiny, dir); err == nil || !strings.Contains(err.Error(), "delete the folder "+dir) {
		t.Error(err)
	}
}

// TestGuestThatIsNone checks that the cache is not blamed for a guest that cannot be compiled, and that another process's file stays.
func TestGuestThatIsNone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "compiled")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	growing := filepath.Join(dir, "growing.1.tmp")
	if err := os.WriteFile(growing, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newHost(t.Context(), tiny[:len(tiny)-1], dir); err == nil || strings.Contains(err.Error(), "delete") {
		t.Error(err)
	}
	if _, err := os.Stat(growing); err != nil {
		t.Error(err)
	}
}
