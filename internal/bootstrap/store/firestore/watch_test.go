package firestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore"
	"peerlab.example/peerlab/internal/bootstrap/store/firestore/fakefirestore"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// eventually waits for something that other goroutines do.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-again.C {
		if time.Now().After(deadline) {
			t.Error("it does not happen")
			return
		}
	}
}

// logged keeps what a store logs.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// watching is one watch that is read by hand.
type watching struct {
	t    *testing.T
	next func() (*bootstrapv1.Roster, error, bool)
}

func startWatch(t *testing.T, s *firestore.Store, group string) watching {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	next, stop := iter.Pull2(s.Watch(ctx, group))
	t.Cleanup(func() { cancel(); stop() })
	return watching{t, next}
}

// want reads until a revision.
func (w watching) want(revision uint64) {
	w.t.Helper()
	for {
		r, err, _ := w.next()
		if err != nil {
			w.t.Fatalf("watch: %v, want revision %d", err, revision)
		}
		if r.GetRevision() >= revision {
			if r.GetRevision() > revision {
				w.t.Errorf("watch: revision %d, want %d", r.GetRevision(), revision)
			}
			return
		}
	}
}

// All watchers of a process share one stream, and pay for one copy of each roster.
func TestWatchersShareOneStream(t *testing.T) {
	t.Parallel()
	server := fakefirestore.Start(t)
	c := config(server.Addr(), 0)
	s, other := open(t, c), open(t, c)
	groups := []string{"a", "b", "c", "not there"}
	for i, group := range groups[:3] {
		mustUpdate(t, other, group, joinPeer(i))
	}
	var all []watching
	for range 100 {
		for _, group := range groups {
			w := startWatch(t, s, group)
			if r, err, _ := w.next(); err != nil || r.GetGroup() != group {
				t.Fatalf("watch of %s: %v, %v", group, r, err)
			}
			all = append(all, w)
		}
	}
	if streams := server.Stats().Streams; streams != 1 {
		t.Errorf("%d streams, want 1", streams)
	}
	before := server.Stats().Reads
	mustUpdate(t, other, "b", bootstrap.Reset)
	for i := 1; i < len(all); i += len(groups) {
		all[i].want(2)
	}
	if reads := server.Stats().Reads - before; reads != 1 {
		t.Errorf("a change for 100 watchers: %d reads, want 1", reads)
	}
}

// manyGroups has one store watch several groups, of which some are not there yet, while another changes them.
func manyGroups(t *testing.T, addr string) {
	const groups = 12
	c := config(addr, 0)
	s, other := open(t, c), open(t, c)
	name := func(i int) string { return fmt.Sprint("group", i) }
	for i := range groups / 2 {
		mustUpdate(t, other, name(i), joinPeer(i))
	}
	all := make([]watching, groups)
	for i := range all {
		all[i] = startWatch(t, s, name(i))
		if r, err, _ := all[i].next(); err != nil || r.GetGroup() != name(i) {
			t.Fatalf("watch of %s: %v, %v", name(i), r, err)
		}
	}
	for range 3 {
		for i, w := range all {
			w.want(mustUpdate(t, other, name(i), joinPeer(i+100)).GetRevision())
			w.want(mustUpdate(t, other, name(i), bootstrap.Reset).GetRevision())
		}
	}
}

func TestWatchOfManyGroups(t *testing.T) {
	t.Parallel()
	manyGroups(t, fakefirestore.Start(t).Addr())
}

// The stream ends with the last watcher, and the next one opens another.
func TestStreamEndsWithTheLastWatcher(t *testing.T) {
	t.Parallel()
	server := fakefirestore.Start(t)
	s := open(t, config(server.Addr(), 0))
	for range 3 {
		for r, err := range s.Watch(t.Context(), "a") {
			if err != nil || r.GetRevision() != 0 {
				t.Errorf("watch: %v, %v", r, err)
			}
			break
		}
		eventually(t, func() bool { return server.Stats().Streams == 0 })
	}
}

// A watch that begins while Firestore is down waits for it, and one of a group that is forgotten goes on
// with the next of that name.
func TestWatchOfForgottenGroup(t *testing.T) {
	t.Parallel()
	server := fakefirestore.Start(t)
	direct := config(server.Direct(), 1)
	broken := direct
	log := &logged{}
	broken.Endpoint, broken.CallTimeout, broken.Log = server.Addr(), shortTimeout, zerolog.New(log)
	s, other := open(t, broken), open(t, direct)
	server.Down()
	if _, err := s.Load(t.Context(), "a"); err == nil {
		t.Fatal("the store works while the server is down")
	}
	mustUpdate(t, other, "a", joinPeer(1))
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() {
		eventually(t, func() bool { return log.has("watch of firestore ended, trying again") })
		server.Up()
	})
	w := startWatch(t, s, "a")
	w.want(1)
	eventually(t, func() bool { return log.has("watch of firestore works again") })
	mustUpdate(t, other, "a", bootstrap.Reset)
	mustUpdate(t, other, "b", joinPeer(2)) // a is forgotten
	mustUpdate(t, other, "b", bootstrap.Reset)
	again := mustUpdate(t, other, "a", joinPeer(3)) // b is forgotten
	w.want(again.GetRevision())
}

func TestWatchOfClosedStore(t *testing.T) {
	t.Parallel()
	s := open(t, config(fakefirestore.Start(t).Addr(), 0))
	_ = s.Close()
	for _, err := range s.Watch(t.Context(), "a") {
		if !errors.Is(err, bootstrap.ErrClosed) {
			t.Errorf("watch: %v", err)
		}
	}
}
