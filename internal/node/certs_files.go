package node

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// certFiles are files that appear all at once, as far as a file system can, or not at all.
type certFiles struct {
	dir    string
	staged []stagedFile
}

// stagedFile is one that is written, under another name.
type stagedFile struct {
	temp, path string
	replace    bool
}

// stage writes a certificate and its key for a name. An existing one is an error unless it is to be replaced.
func (c *certFiles) stage(name string, p *pair, replace bool) error {
	key, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return err
	}
	path := filepath.Join(c.dir, name)
	for _, f := range []struct {
		path, kind string
		der        []byte
		mode       fs.FileMode
	}{
		{path + ".key", "PRIVATE KEY", key, 0o600},
		{path + ".crt", "CERTIFICATE", p.cert.Raw, 0o644},
	} {
		if _, err := os.Lstat(f.path); err == nil && !replace {
			return exists(f.path)
		}
		temp, err := writeTemp(c.dir, pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der}), f.mode)
		if err != nil {
			return err
		}
		c.staged = append(c.staged, stagedFile{temp: temp, path: f.path, replace: replace})
	}
	return nil
}

func exists(path string) error {
	return fmt.Errorf("%s: %w", path, fs.ErrExist)
}

// writeTemp writes a new file that nobody knows yet.
func writeTemp(dir string, data []byte, mode fs.FileMode) (path string, err error) {
	f, err := os.CreateTemp(dir, ".peerlab-cert-*") // with mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// commit gives all files their names, and takes back those that it created when one cannot have its name.
func (c *certFiles) commit() (written []string, err error) {
	var created []string
	for _, f := range c.staged {
		if f.replace {
			err = os.Rename(f.temp, f.path)
		} else if err = os.Link(f.temp, f.path); err == nil { // never replaces what another has made meanwhile
			created = append(created, f.path)
		} else if errors.Is(err, fs.ErrExist) {
			err = exists(f.path)
		}
		if err != nil {
			for _, path := range created {
				err = errors.Join(err, os.Remove(path))
			}
			return nil, err
		}
		written = append(written, f.path)
	}
	return written, nil
}

// discard removes what is left under other names.
func (c *certFiles) discard() {
	for _, f := range c.staged {
		_ = os.Remove(f.temp) // it was renamed, or is a second name
	}
}
