package console

import (
	"os"
	"path/filepath"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// maxFiles bounds the entries of a folder that are looked at for completion.
const maxFiles = 1000

// completeFiles offers the paths that begin with prefix. Hidden files are offered only to
// those who type the dot.
func completeFiles(prefix string) []app.Suggestion {
	dir, base := filepath.Split(prefix)
	folder := dir
	if folder == "" {
		folder = "."
	}
	f, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	entries, _ := f.ReadDir(maxFiles) // what could be read is good enough to offer
	var out []app.Suggestion
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, base) || base == "" && strings.HasPrefix(name, ".") {
			continue
		}
		s := app.Suggestion{Text: dir + name, Description: "file"}
		if e.IsDir() {
			s = app.Suggestion{Text: dir + name + "/", Description: "folder"}
		}
		if command.Clean(name) == name {
			out = append(out, s)
		}
	}
	return out
}
