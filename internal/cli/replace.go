package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"peerlab.example/peerlab/internal/atomicfile"
)

// maxLinks is how many links lead to a file at most: as many as Linux follows.
const maxLinks = 40

// replaceFile puts content in place of a file, in full or not at all. A link stays, and what it leads to is replaced; the new file
// has the permissions of the old one, or is its owner's only. A pipe or a device is written to: it blocks as long as nobody reads a pipe.
func replaceFile(path string, content []byte) error {
	old, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	real, err := behindLinks(path)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if old != nil {
		if f := ownOutput(old); f != nil {
			_, err := f.Write(content)
			return err
		}
		if !mayRename(real, old) {
			return writeInPlace(path, content)
		}
		mode = old.Mode().Perm()
	}
	return atomicfile.Write(real, mode, old != nil, atomicfile.Bytes(content)) // where there is something to lose, it is on the disk first
}

// behindLinks is where a name leads, also when nothing is there yet. Names are put together as they are: to shorten "link/.." would
// lead elsewhere.
func behindLinks(path string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil //nolint:nilerr // it is no link, or not there
		}
		if !filepath.IsAbs(to) {
			dir, _ := filepath.Split(path)
			to = dir + to
		}
		path = to
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
}

// mayRename reports whether another file may take the name of one that is there: it is a regular one, and has that name. One that was
// removed can still be found as /dev/fd/N.
func mayRename(name string, old fs.FileInfo) bool {
	named, err := os.Lstat(name)
	return err == nil && old.Mode().IsRegular() && os.SameFile(named, old)
}

// ownOutput is the output of this process into that file, or nil. Were it replaced, what is printed would go into a file without a name;
// were it opened anew, one would be written over the other.
func ownOutput(file fs.FileInfo) *os.File {
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		if info, err := f.Stat(); err == nil && os.SameFile(info, file) {
			return f
		}
	}
	return nil
}

func writeInPlace(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
