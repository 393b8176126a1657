// Package storetest checks that a bootstrap store keeps the contract of bootstrap.Store.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Closer is a store under test, which the tests close.
type Closer interface {
	bootstrap.Store
	Close() error
}

// Open returns a new, empty store for at most that many groups.
type Open func(t *testing.T, maxGroups int) Closer

// Option tells Run what else the store can do.
type Option func(*suite)

// suite is what Run checks beside single stores.
type suite struct {
	replicas func(t *testing.T) (first, second Closer)
	faults   func(t *testing.T) (Closer, Faults)
}

// Replicas has the contention check use two stores that open makes on the same, new data. Without it
// the check runs against one store that all writers share.
func Replicas(open func(t *testing.T) (first, second Closer)) Option {
	return func(s *suite) { s.replicas = open }
}

// WithFaults has Run check stores whose backend fails. open returns a store on new data, and
// the hooks that break what it stands on; a Proxy has them. Give the store a short deadline for
// its calls, since the check waits for it several times.
func WithFaults(open func(t *testing.T) (Closer, Faults)) Option {
	return func(s *suite) { s.faults = open }
}

// Run runs all checks against stores that open makes.
func Run(t *testing.T, open Open, options ...Option) {
	var more suite
	for _, o := range options {
		o(&more)
	}
	t.Run("contention", func(t *testing.T) {
		t.Parallel()
		if more.replicas != nil {
			contention(t, more.replicas)
			return
		}
		contention(t, func(t *testing.T) (first, second Closer) {
			s := open(t, 0)
			return s, s
		})
	})
	if more.faults != nil {
		t.Run("faults", func(t *testing.T) {
			t.Parallel()
			faults(t, more.faults)
		})
	}
	runSingle(t, open)
}

// runSingle runs the checks that need one store each.
func runSingle(t *testing.T, open Open) {
	tests := []struct {
		name      string
		maxGroups int
		check     func(t *testing.T, s Closer)
	}{
		{"unknown group", 0, unknownGroup},
		{"compare and swap", 0, compareAndSwap},
		{"parallel swaps lose nothing", 0, parallelSwaps},
		{"update", 0, update},
		{"watch", 0, watch},
		{"slow watcher gets the newest", 0, slowWatcher},
		{"close", 0, closing},
		{"ended context", 0, endedContext},
		{"limit of groups", 2, limitOfGroups},
		{"the group longest empty is forgotten", 8, longestEmpty},
		{"forgotten groups never go back", 2, forgottenGroups},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, tt.maxGroups)
			tt.check(t, s)
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// Peer is a peer with that number, without labels.
func Peer(i int) *bootstrapv1.Peer {
	return &bootstrapv1.Peer{
		Id:   fmt.Sprintf("00000000-0000-4000-8000-%012d", i),
		Name: fmt.Sprintf("peer%d", i),
		Host: "127.0.0.1",
		Port: uint32(i%65535) + 1, //nolint:gosec // a port
	}
}

func join(r *bootstrapv1.Roster, i int) *bootstrapv1.Roster {
	return bootstrap.Join(r, Peer(i), time.Now())
}

func load(t *testing.T, s Closer, group string) *bootstrapv1.Roster {
	t.Helper()
	r, err := s.Load(t.Context(), group)
	if err != nil {
		t.Fatalf("load %s: %v", group, err)
	}
	return r
}

// swap joins a peer by one CompareAndSwap from the current roster.
func swap(t *testing.T, s Closer, group string, i int) *bootstrapv1.Roster {
	t.Helper()
	before := load(t, s, group)
	after := join(before, i)
	if err := s.CompareAndSwap(t.Context(), group, before.GetRevision(), after); err != nil {
		t.Fatalf("swap %s: %v", group, err)
	}
	return after
}

func wantRoster(t *testing.T, got, want *bootstrapv1.Roster) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("roster (-want +got):\n%s", diff)
	}
}

func unknownGroup(t *testing.T, s Closer) {
	wantRoster(t, load(t, s, "a"), &bootstrapv1.Roster{Group: "a"})
	if names, err := s.Groups(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("groups after a load: %v, %v; want none", names, err)
	}
	if err := s.Healthy(t.Context()); err != nil {
		t.Errorf("healthy: %v", err)
	}
}

func compareAndSwap(t *testing.T, s Closer) {
	first := swap(t, s, "a", 1)
	wantRoster(t, load(t, s, "a"), first)
	for _, stale := range []uint64{0, 2} {
		err := s.CompareAndSwap(t.Context(), "a", stale, join(first, 2))
		if !errors.Is(err, bootstrap.ErrConflict) {
			t.Errorf("swap from revision %d at 1: %v, want %v", stale, err, bootstrap.ErrConflict)
		}
	}
	second := swap(t, s, "a", 2)
	other := swap(t, s, "b", 3)
	wantRoster(t, load(t, s, "a"), second)
	wantRoster(t, load(t, s, "b"), other)
	names, err := s.Groups(t.Context())
	if slices.Sort(names); err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("groups: %v, %v", names, err)
	}
}

// parallel runs n functions at once and waits for them.
func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func parallelSwaps(t *testing.T, s Closer) {
	const writers, each = 8, 10
	roomy(t, s, "a")
	parallel(writers, func(w int) {
		for i := 0; i < each; {
			before, err := s.Load(t.Context(), "a")
			if err == nil {
				err = s.CompareAndSwap(t.Context(), "a", before.GetRevision(), join(before, w*each+i))
			}
			if err == nil {
				i++
			} else if !errors.Is(err, bootstrap.ErrConflict) {
				t.Errorf("swap: %v", err)
				return
			}
		}
	})
	r := load(t, s, "a")
	if r.GetCount() != writers*each || r.GetRevision() != writers*each+1 {
		t.Errorf("%d peers at revision %d, want %d at %d", r.GetCount(), r.GetRevision(), writers*each, writers*each+1)
	}
}

// roomy makes a group with room for all that a test adds.
func roomy(t *testing.T, s Closer, group string) {
	t.Helper()
	before := load(t, s, group)
	after := bootstrap.UpdateConfig(before, &bootstrapv1.Config{MaxPeers: bootstrap.MaxPeers}, time.Now())
	if err := s.CompareAndSwap(t.Context(), group, before.GetRevision(), after); err != nil {
		t.Fatal(err)
	}
}

func update(t *testing.T, s Closer) {
	u, ok := s.(bootstrap.Updater)
	if !ok {
		t.Skip("the store has no Update")
	}
	const writers = 32
	roomy(t, s, "a")
	parallel(writers, func(i int) {
		before, after, err := u.Update(t.Context(), "a", func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return join(r, i) })
		if err != nil || after.GetRevision() != before.GetRevision()+1 || after.GetCount() != before.GetCount()+1 {
			t.Errorf("update: %v from %d to %d", err, before.GetRevision(), after.GetRevision())
		}
		if r, err := s.Load(t.Context(), "a"); err != nil || r.GetRevision() < after.GetRevision() {
			t.Errorf("a load after an update to %d: revision %d, %v", after.GetRevision(), r.GetRevision(), err)
		}
	})
	before, after, err := u.Update(t.Context(), "a", func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return r })
	if err != nil || before != after || after.GetCount() != writers {
		t.Errorf("an update that changes nothing: %v, %d peers", err, after.GetCount())
	}
}

func watch(t *testing.T, s Closer) {
	roomy(t, s, "a")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	next, stop := iter.Pull2(s.Watch(ctx, "a"))
	defer stop()
	for i := 1; i < 5; i++ {
		r, err, _ := next()
		if err != nil || r.GetRevision() != uint64(i) {
			t.Fatalf("watch: revision %d, %v; want %d", r.GetRevision(), err, i)
		}
		swap(t, s, fmt.Sprintf("another group %d", i), i)
		swap(t, s, "a", i)
	}
}

func reset(t *testing.T, s Closer, group string) {
	t.Helper()
	before := load(t, s, group)
	if err := s.CompareAndSwap(t.Context(), group, before.GetRevision(), bootstrap.Reset(before)); err != nil {
		t.Fatal(err)
	}
}

func slowWatcher(t *testing.T, s Closer) {
	roomy(t, s, "a")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	next, stop := iter.Pull2(s.Watch(ctx, "a"))
	defer stop()
	if r, err, _ := next(); err != nil || r.GetRevision() != 1 {
		t.Fatalf("watch: revision %d, %v", r.GetRevision(), err)
	}
	for i := range 20 {
		swap(t, s, "a", i)
	}
	for last := uint64(1); last < 21; {
		r, err, _ := next()
		if err != nil || r.GetRevision() <= last {
			t.Fatalf("watch: revision %d after %d, %v", r.GetRevision(), last, err)
		}
		last = r.GetRevision()
	}
}

func closing(t *testing.T, s Closer) {
	next, stop := iter.Pull2(s.Watch(t.Context(), "a"))
	defer stop()
	if _, err, _ := next(); err != nil {
		t.Fatalf("watch: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	_, watching, _ := next()
	_, loading := s.Load(t.Context(), "a")
	_, listing := s.Groups(t.Context())
	for what, err := range map[string]error{
		"watch": watching, "load": loading, "groups": listing,
		"healthy": s.Healthy(t.Context()),
		"swap":    s.CompareAndSwap(t.Context(), "a", 0, join(&bootstrapv1.Roster{Group: "a"}, 1)),
	} {
		if !errors.Is(err, bootstrap.ErrClosed) {
			t.Errorf("%s after close: %v, want %v", what, err, bootstrap.ErrClosed)
		}
	}
}

func endedContext(t *testing.T, s Closer) {
	ctx, cancel := context.WithCancel(t.Context())
	next, stop := iter.Pull2(s.Watch(ctx, "a"))
	defer stop()
	_, _, _ = next()
	cancel()
	if _, err, _ := next(); !errors.Is(err, context.Canceled) {
		t.Errorf("watch: %v", err)
	}
	if _, err := s.Load(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("load: %v", err)
	}
	err := s.CompareAndSwap(ctx, "a", 0, join(&bootstrapv1.Roster{Group: "a"}, 1))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("swap: %v", err)
	}
	wantRoster(t, load(t, s, "a"), &bootstrapv1.Roster{Group: "a"})
}

func limitOfGroups(t *testing.T, s Closer) {
	swap(t, s, "a", 1)
	swap(t, s, "b", 2)
	third := load(t, s, "c")
	err := s.CompareAndSwap(t.Context(), "c", third.GetRevision(), join(third, 3))
	if !errors.Is(err, bootstrap.ErrTooManyGroups) {
		t.Errorf("a third group: %v, want %v", err, bootstrap.ErrTooManyGroups)
	}
	swap(t, s, "a", 4) // a held group still changes
	reset(t, s, "b")
	swap(t, s, "c", 3) // takes the place of b
	names, err := s.Groups(t.Context())
	if slices.Sort(names); err != nil || !slices.Equal(names, []string{"a", "c"}) {
		t.Errorf("groups: %v, %v", names, err)
	}
}

func longestEmpty(t *testing.T, s Closer) {
	for i, group := range strings.Split("abcdefgh", "") {
		swap(t, s, group, i)
	}
	order := strings.Split("fbgca", "")
	for _, group := range order {
		reset(t, s, group)
	}
	for i, gone := range order {
		swap(t, s, fmt.Sprint("new", i), i)
		names, err := s.Groups(t.Context())
		if err != nil || len(names) != 8 || slices.Contains(names, gone) {
			t.Errorf("groups: %v, %v; want 8, and %s forgotten", names, err, gone)
		}
	}
}

func forgottenGroups(t *testing.T, s Closer) {
	swap(t, s, "a", 1)
	swap(t, s, "b", 2)
	stale := load(t, s, "b")
	reset(t, s, "b")
	empty := load(t, s, "b")
	swap(t, s, "c", 3) // b is forgotten
	reset(t, s, "c")
	again := swap(t, s, "b", 4)
	if again.GetRevision() <= empty.GetRevision() {
		t.Errorf("revision %d after %d", again.GetRevision(), empty.GetRevision())
	}
	err := s.CompareAndSwap(t.Context(), "b", stale.GetRevision(), join(stale, 5))
	if !errors.Is(err, bootstrap.ErrConflict) {
		t.Errorf("a swap from before the group was forgotten: %v, want %v", err, bootstrap.ErrConflict)
	}
}
