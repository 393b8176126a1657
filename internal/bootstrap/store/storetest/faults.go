package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Faults breaks the backend of one store, and mends it. The calls return at once.
type Faults struct {
	Down func() // connections end, and new ones are refused
	Slow func() // connections stay, and no answer comes within the deadline of the store
	Up   func() // all is well again
	// Other is a store on the same data which these faults do not touch; nil if there can be none.
	Other Closer
	// Reads is set where the backend is not needed to read: such a store reads from memory, and finds out by a change
	// that its backend fails.
	Reads bool
}

// patience bounds each wait of the faults check. It is no claim on how fast a store is.
const patience = 30 * time.Second

// faults checks that a store whose backend is gone or silent fails with an error of its own,
// before its caller's patience ends, and works again afterwards as if nothing had been. A
// watch does not end, and yields what was changed meanwhile.
func faults(t *testing.T, open func(t *testing.T) (Closer, Faults)) {
	s, f := open(t)
	defer func() { _ = s.Close() }()
	other := f.Other
	if other == nil {
		other = s
	} else {
		defer func() { _ = other.Close() }()
	}
	w := watchNewest(t, s, "a")
	defer w.stop()
	number := 0
	change := func(s Closer) {
		t.Helper()
		number++
		w.waitFor(t, eventually(t, s, number))
	}
	change(s)
	for _, fault := range []struct {
		name   string
		inject func()
	}{{"down", f.Down}, {"slow", f.Slow}, {"down again", f.Down}} {
		fault.inject()
		wantFailures(t, fault.name, s, f.Reads)
		var missed *bootstrapv1.Roster
		if f.Other != nil {
			number++
			missed = eventually(t, other, number)
		}
		f.Up()
		w.waitFor(t, missed)
		change(s)
		change(other)
		wantHealthy(t, fault.name, s)
	}
	w.stop()
	if !errors.Is(w.err, context.Canceled) {
		t.Errorf("the watch ended with %v", w.err)
	}
}

// eventually gives the group a configuration with that number of places, and tries until
// it is acknowledged. It returns a roster that has it.
func eventually(t *testing.T, s Closer, number int) *bootstrapv1.Roster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		before, err := s.Load(ctx, "a")
		var after *bootstrapv1.Roster
		if err == nil {
			after = bootstrap.UpdateConfig(before, &bootstrapv1.Config{MaxPeers: uint32(number)}, time.Now()) //nolint:gosec // small
			err = s.CompareAndSwap(ctx, "a", before.GetRevision(), after)
		}
		if err == nil {
			return after
		}
		if ctx.Err() != nil {
			t.Fatalf("change %d is not possible: %v", number, err)
		}
	}
}

// wantHealthy waits until a store says that it is well after a fault.
func wantHealthy(t *testing.T, fault string, s Closer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := s.Healthy(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("after it was %s the store is not healthy: %v", fault, err)
		}
	}
}

// wantFailures calls all methods of a store whose backend fails.
func wantFailures(t *testing.T, fault string, s Closer, reads bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	load := func() error { _, err := s.Load(ctx, "a"); return err }
	groups := func() error { _, err := s.Groups(ctx); return err }
	healthy := func() error { return s.Healthy(ctx) }
	// The group is that of this fault alone, so that it does not matter whether this comes through later.
	group := strings.ReplaceAll(fault, " ", "-")
	calls := map[string]func() error{"swap": func() error {
		return s.CompareAndSwap(ctx, group, 0, join(&bootstrapv1.Roster{Group: group}, 1))
	}}
	if u, ok := s.(bootstrap.Updater); ok {
		calls["update"] = func() error {
			_, _, err := u.Update(ctx, group, func(r *bootstrapv1.Roster) *bootstrapv1.Roster { return join(r, 1) })
			return err
		}
	}
	if !reads {
		calls["load"], calls["groups"], calls["healthy"] = load, groups, healthy
	}
	wantOwnErrors(ctx, t, fault, calls)
	if !reads {
		return
	}
	wantOwnErrors(ctx, t, fault, map[string]func() error{"healthy": healthy})
	if err := errors.Join(load(), groups()); err != nil {
		t.Errorf("reads while the backend is %s: %v", fault, err)
	}
}

// wantOwnErrors makes calls at once, and wants an error of the store from each.
func wantOwnErrors(ctx context.Context, t *testing.T, fault string, calls map[string]func() error) {
	t.Helper()
	var wg sync.WaitGroup
	for name, call := range calls {
		wg.Go(func() {
			err := call()
			if bad := unclear(ctx, err); bad != "" {
				t.Errorf("%s while the backend is %s: %v: %s", name, fault, err, bad)
			}
		})
	}
	wg.Wait()
}

// unclear says what is wrong with the error of a store that does not work; "" for nothing.
func unclear(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return "there must be an error"
	case ctx.Err() != nil:
		return fmt.Sprintf("the store has no deadline of its own, or one over %v", patience)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "the caller's context has not ended, so this must not look as if it had"
	case errors.Is(err, bootstrap.ErrConflict), errors.Is(err, bootstrap.ErrTooManyGroups), errors.Is(err, bootstrap.ErrClosed):
		return "this is not what happened"
	}
	return ""
}

// newest is a watch that keeps what it saw last.
type newest struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	err    error // of the watch; read it after stop

	mu      sync.Mutex
	last    *bootstrapv1.Roster // guarded by mu
	changed chan struct{}       // guarded by mu; closed and replaced with each roster
}

func watchNewest(t *testing.T, s Closer, group string) *newest {
	ctx, cancel := context.WithCancel(t.Context())
	w := &newest{cancel: cancel, changed: make(chan struct{})}
	w.done.Go(func() {
		for r, err := range s.Watch(ctx, group) {
			if err != nil {
				w.err = err
				return
			}
			w.take(t, r)
		}
	})
	return w
}

func (w *newest) take(t *testing.T, r *bootstrapv1.Roster) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != nil && r.GetRevision() <= w.last.GetRevision() {
		t.Errorf("watch: revision %d after %d", r.GetRevision(), w.last.GetRevision())
	}
	w.last = r
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *newest) get() (*bootstrapv1.Roster, chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last, w.changed
}

// waitFor waits until the watch has seen a roster, or a later one.
func (w *newest) waitFor(t *testing.T, want *bootstrapv1.Roster) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		last, changed := w.get()
		if last.GetRevision() >= want.GetRevision() {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("the watch is at revision %d, want %d", last.GetRevision(), want.GetRevision())
		}
	}
}

// stop ends the watch and waits for it.
func (w *newest) stop() {
	w.cancel()
	w.done.Wait()
}
