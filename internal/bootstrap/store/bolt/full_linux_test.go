package bolt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/bolt"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// openSmall opens a store on a file system of 512 KiB that is its own, and fills what the store does not need yet. free gives
// that back. Only one thread sees the file system, and it ends with that thread and the files that are open.
func openSmall(t *testing.T) (s *bolt.Store, free func() error) {
	t.Helper()
	dir := t.TempDir()
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: nobody else gets this thread
		failed <- func() error {
			if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
				return fmt.Errorf("unshare: %w", err)
			}
			if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
				return fmt.Errorf("mount: %w", err)
			}
			if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
				return fmt.Errorf("mount: %w", err)
			}
			var err error
			if s, err = bolt.Open(filepath.Join(dir, "roster.db"), 0); err != nil {
				return err
			}
			filler, err := os.Create(filepath.Join(dir, "filler"))
			if err != nil {
				return err
			}
			free = func() error { return filler.Truncate(0) }
			t.Cleanup(func() { _ = filler.Close() })
			for err == nil {
				_, err = filler.Write(make([]byte, 4096))
			}
			return nil
		}()
	}()
	if err := <-failed; err != nil {
		t.Skipf("it takes root to have a small file system: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, free
}

// TestFullFileSystem is TestFullDisk on a file system that is full.
func TestFullFileSystem(t *testing.T) {
	t.Parallel()
	s, free := openSmall(t)
	grow := func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
		r = bootstrap.UpdateConfig(r, &bootstrapv1.Config{MaxPeers: 200}, time.Now())
		for i := range 200 {
			r = joinPeer(i)(r)
		}
		return r
	}
	if _, _, err := s.Update(t.Context(), "large", grow); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Fatalf("a change for which there is no space: %v", err)
	}
	for range 3 {
		if err := s.Healthy(t.Context()); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("a store on a full disk is healthy: %v", err)
		}
	}
	if err := free(); err != nil {
		t.Fatal(err)
	}
	if err := s.Healthy(t.Context()); err != nil {
		t.Errorf("with space again: %v", err)
	}
	mustUpdate(t, s, "large", grow)
}
