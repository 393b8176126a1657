package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	failed := errors.New("failed")
	for _, tt := range []struct {
		mode  fs.FileMode
		sync  bool
		write func(io.Writer) error
		err   error
		text  string
		has   fs.FileMode
	}{
		{0o600, false, Bytes([]byte("one")), nil, "one", 0o600},
		{0o640, true, Bytes([]byte("two")), nil, "two", 0o640},
		{0o600, true, func(w io.Writer) error {
			_, err := io.WriteString(w, "half")
			return errors.Join(err, failed)
		}, failed, "two", 0o640},
	} {
		if err := Write(path, tt.mode, tt.sync, tt.write); !errors.Is(err, tt.err) {
			t.Error(err)
		}
		data, err := os.ReadFile(path)
		info, err2 := os.Stat(path)
		if err != nil || err2 != nil || string(data) != tt.text || runtime.GOOS != "windows" && info.Mode().Perm() != tt.has {
			t.Errorf("%v %v %q %v, want %q %v", err, err2, data, info.Mode(), tt.text, tt.has)
		}
		if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
			t.Errorf("%v: files are left: %v", err, all)
		}
	}
	if err := Write(filepath.Join(dir, "none", "file"), 0o600, false, Bytes(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
