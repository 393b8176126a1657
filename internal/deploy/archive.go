package deploy

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxArchive is how long an uploaded archive may be, in bytes: the signed URL demands
// x-goog-content-length-range 0,104857600 (REST reference of generateUploadUrl), and
// https://cloud.google.com/functions/quotas has the same limit for sources.
const maxArchive = 100 << 20

// Archive is a zip of the function's source, with all that it imports vendored.
type Archive struct {
	Zip       []byte
	Files     []ArchivedFile // sorted by path
	GoVersion string         // that the module needs, such as 1.26.0
}

// ArchivedFile is a file in an archive.
type ArchivedFile struct {
	Path string // with slashes
	Size int64  // in bytes, before compression
}

// SHA256 is the hash of the archive, in hexadecimal. The same source makes the same archive.
func (a *Archive) SHA256() string {
	sum := sha256.Sum256(a.Zip)
	return hex.EncodeToString(sum[:])
}

// pack makes a deterministic zip of files: keys are their paths in the archive, values where they are now.
func pack(files map[string]string, limit int64) (*Archive, error) {
	paths := make([]string, 0, len(files))
	for path := range files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	a := &Archive{}
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	for _, path := range paths {
		b, err := os.ReadFile(files[path])
		if err != nil {
			return nil, fmt.Errorf("archive %s: %w", path, err)
		}
		header := &zip.FileHeader{Name: path, Method: zip.Deflate}
		header.SetMode(0o644)
		// Times of files differ from one checkout to the next. This is the first that a zip can tell.
		header.Modified = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
		f, err := w.CreateHeader(header)
		if err == nil {
			_, err = f.Write(b)
		}
		if err != nil {
			return nil, fmt.Errorf("archive %s: %w", path, err)
		}
		a.Files = append(a.Files, ArchivedFile{Path: path, Size: int64(len(b))})
		if int64(buf.Len()) > limit {
			break
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	if int64(buf.Len()) > limit {
		return nil, fmt.Errorf("the archive is longer than the %s that Google takes; the largest parts are %s",
			megabytes(limit), strings.Join(largest(files), ", "))
	}
	a.Zip = buf.Bytes()
	return a, nil
}

// largest names the folders that have the most bytes, with their size.
func largest(files map[string]string) []string {
	sizes := map[string]int64{}
	for path, from := range files {
		info, err := os.Stat(from)
		if err != nil {
			continue
		}
		parts := strings.Split(path, "/")
		sizes[strings.Join(parts[:min(len(parts)-1, 4)], "/")] += info.Size()
	}
	var folders []string
	for folder := range sizes {
		folders = append(folders, folder)
	}
	slices.SortFunc(folders, func(a, b string) int { return int(sizes[b] - sizes[a]) })
	for i, folder := range folders {
		folders[i] = fmt.Sprintf("%s (%s)", filepath.ToSlash(filepath.Join(".", folder)), megabytes(sizes[folder]))
	}
	return folders[:min(len(folders), 3)]
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
