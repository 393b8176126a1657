package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"peerlab.example/peerlab/internal/atomicfile"
)

// check reports what of it could not be written. That is known before a run then, and not at its end.
func (f *reportFlags) check() error {
	var errs []error
	for _, file := range []struct{ flag, path string }{{"--junit", f.junit}, {"--tap", f.tap}, {"--json", f.json}} {
		if file.path != "" {
			errs = append(errs, checkFile(file.flag, file.path))
		}
	}
	if f.dir != "" {
		err := os.MkdirAll(f.dir, 0o750)
		if err == nil {
			err = atomicfile.Try(f.dir)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("--report %s: %w", f.dir, systemSays(err)))
		}
	}
	return errors.Join(errs...)
}

// checkFile reports whether a file can be written.
func checkFile(flag, path string) error {
	switch info, err := os.Stat(path); {
	case err != nil: // it is made, if its folder is there
	case info.IsDir():
		return fmt.Errorf("%s %s: that is a folder", flag, path)
	case !info.Mode().IsRegular() || ownOutput(info) != nil:
		return nil // it is written to, and to open it now would end who reads it
	}
	real, err := behindLinks(path)
	if err == nil {
		err = atomicfile.Try(filepath.Dir(real))
	}
	if err != nil {
		return fmt.Errorf("%s %s: folder %s: %w", flag, path, filepath.Dir(cmp.Or(real, path)), systemSays(err))
	}
	return nil
}

// systemSays is what the system said, without the name of a file that the user does not know.
func systemSays(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
