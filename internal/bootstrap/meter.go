package bootstrap

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// Meter is told what a service does, for metrics. Its methods must not block, and are called from any
// goroutine.
type Meter interface {
	// StoreCall is told of each call of the store but Watch: load, swap, update, groups or healthy; and of
	// its result: ok, conflict, too_many_groups, canceled, timeout, closed or error.
	StoreCall(operation, result string, took time.Duration)
	// StoreRetried is told each time that a change is made anew, because another came first.
	StoreRetried()
	// LeasesEnded is told how many entries were dropped because nobody renewed them.
	LeasesEnded(entries int)
	// Swept is told after each look at all groups, about once a second, how many peers each has; the map is
	// the receiver's. It is not told of a look that the store cut short.
	Swept(sizes map[string]int)
	// LimitHit is told of each call that was refused because of max-groups.
	LimitHit(limit string)
}

// limitGroups is the name of the setting for how many groups a store holds.
const limitGroups = "max-groups"

// noMeter stands where none is given.
type noMeter struct{}

func (noMeter) StoreCall(string, string, time.Duration) {}
func (noMeter) StoreRetried()                           {}
func (noMeter) LeasesEnded(int)                         {}
func (noMeter) Swept(map[string]int)                    {}
func (noMeter) LimitHit(string)                         {}

// metered returns a store that tells a meter of its calls. It is an Updater if s is one.
func metered(s Store, m Meter) Store {
	out := &meteredStore{Store: s, meter: m}
	if u, ok := s.(Updater); ok {
		return &meteredUpdater{meteredStore: out, updater: u}
	}
	return out
}

type meteredStore struct {
	Store
	meter Meter
}

// Load is that of Store, as are the methods below.
func (s *meteredStore) Load(ctx context.Context, group string) (r *bootstrapv1.Roster, err error) {
	defer s.measure("load", time.Now(), &err)
	return s.Store.Load(ctx, group)
}

// CompareAndSwap counts a conflict, after which the service tries again.
func (s *meteredStore) CompareAndSwap(ctx context.Context, group string, revision uint64, r *bootstrapv1.Roster) (err error) {
	defer s.measure("swap", time.Now(), &err)
	err = s.Store.CompareAndSwap(ctx, group, revision, r)
	if errors.Is(err, ErrConflict) {
		s.meter.StoreRetried()
	}
	return err
}

// Groups is measured.
func (s *meteredStore) Groups(ctx context.Context) (names []string, err error) {
	defer s.measure("groups", time.Now(), &err)
	return s.Store.Groups(ctx)
}

// Healthy is measured.
func (s *meteredStore) Healthy(ctx context.Context) (err error) {
	defer s.measure("healthy", time.Now(), &err)
	return s.Store.Healthy(ctx)
}

func (s *meteredStore) measure(operation string, since time.Time, err *error) {
	s.meter.StoreCall(operation, resultOf(*err), time.Since(since))
}

func resultOf(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrConflict):
		return "conflict"
	case errors.Is(err, ErrTooManyGroups):
		return "too_many_groups"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, ErrClosed):
		return "closed"
	}
	return "error"
}

type meteredUpdater struct {
	*meteredStore
	updater Updater
}

// Update is that of Updater. The store calls change once more for each try after the first.
func (s *meteredUpdater) Update(ctx context.Context, group string, change Change) (before, after *bootstrapv1.Roster, err error) {
	defer s.measure("update", time.Now(), &err)
	var again atomic.Bool
	return s.updater.Update(ctx, group, func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
		if again.Swap(true) {
			s.meter.StoreRetried()
		}
		return change(r)
	})
}
