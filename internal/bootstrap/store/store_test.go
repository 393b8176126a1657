package store_test

import (
	"path/filepath"
	"strings"
	"testing"

	"peerlab.example/peerlab/internal/bootstrap/store"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for address, want := range map[string]string{
		"memory:": "",
		"file:" + filepath.Join(dir, "a", "roster.db"): "",
		"file:" + dir:      dir,
		"":                 "must be memory: or file:PATH",
		"file:":            "must be memory: or file:PATH",
		"memory:x":         "must be memory: or file:PATH",
		"tape://somewhere": "must be memory: or file:PATH",
	} {
		s, err := store.Open(address, 0)
		if (want == "") != (err == nil) || err != nil && (s != nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("open %q: %v, %v; want %q", address, s, err, want)
		}
		if err == nil {
			if err := s.Close(); err != nil {
				t.Errorf("close %q: %v", address, err)
			}
		}
	}
}
