// Package atomicfile replaces files, each in full or not at all.
package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the file at path, or makes it, with what write writes, and these permissions. It is written beside the file, which then gets
// its name; what path was before stays until then, and if anything fails. With sync, it is on the disk before that. A symbolic link at path is
// replaced, and not followed.
func Write(path string, mode fs.FileMode, sync bool, write func(io.Writer) error) error {
	dir, _ := filepath.Split(path)
	if dir == "" {
		dir = "." // CreateTemp would take the system's folder
	}
	f, err := os.CreateTemp(dir, ".peerlab-*") // with mode 0600
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil && mode != 0o600 {
		err = f.Chmod(mode)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Try makes a file in a folder, and removes it: so it is known beforehand whether Write can. Its name ends with .tmp.
func Try(dir string) error {
	f, err := os.CreateTemp(dir, ".peerlab-*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Bytes is what Write takes to write data.
func Bytes(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}
