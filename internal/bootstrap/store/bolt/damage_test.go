package bolt_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/bolt"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// written is a file of a store with some groups, one of them larger than a page.
func written(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roster.db")
	s := open(t, path, 0)
	for i := range 40 {
		mustUpdate(t, s, fmt.Sprintf("group-%d", i), joinPeer(i))
	}
	mustUpdate(t, s, "large", func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
		r = bootstrap.UpdateConfig(r, &bootstrapv1.Config{MaxPeers: 100}, time.Now())
		for i := range 100 {
			r = joinPeer(i)(r)
		}
		return r
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A file that is damaged is told.
func TestOpenDamaged(t *testing.T) {
	t.Parallel()
	whole := written(t)
	page := os.Getpagesize()
	noise := make([]byte, 256)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	tests := map[string]func(b []byte) []byte{
		"cut behind the meta pages": func(b []byte) []byte { return b[:2*page] },
		"cut inside a page":         func(b []byte) []byte { return b[:2*page+100] },
	}
	for at := 2; at < len(whole)/page; at++ {
		tests[fmt.Sprintf("noise in page %d", at)] = func(b []byte) []byte {
			copy(b[at*page:], noise)
			return b
		}
	}
	failed := 0
	for name, damage := range tests {
		path := filepath.Join(t.TempDir(), "roster.db")
		if err := os.WriteFile(path, damage(append([]byte(nil), whole...)), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := bolt.Open(path, 0)
		if err == nil {
			_ = s.Close() // nothing of that page is needed
			continue
		}
		failed++
		if text, ok := strings.CutPrefix(err.Error(), "open store "+path+": "); !ok || !strings.HasPrefix(text, "roster of group ") &&
			!(strings.HasPrefix(text, "the file is damaged (") && strings.HasSuffix(text, "): restore a copy or delete it")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if failed < 4 {
		t.Errorf("%d of %d damaged files were not opened", failed, len(tests))
	}
}

// What is only found to be damaged when it is written to is an error of each change from then on, and the store still ends.
func TestDamageIsFoundLater(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "roster.db")
	s := open(t, path, 0)
	before := mustUpdate(t, s, "a", joinPeer(1))
	if err := os.Truncate(path, int64(2*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := s.Update(t.Context(), "a", joinPeer(2)); err == nil || !strings.Contains(err.Error(), "the file is damaged (") {
			t.Errorf("update: %v", err)
		}
		if err := s.Healthy(t.Context()); err == nil || !strings.Contains(err.Error(), "the file is damaged (") {
			t.Errorf("healthy: %v", err)
		}
	}
	if r, err := s.Load(t.Context(), "a"); err != nil || r.GetRevision() != before.GetRevision() {
		t.Errorf("what was durable: %v, %v", r, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
