package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// DefaultMaxGroups is how many groups a store holds unless it is told otherwise. It is there to
// bound the memory of a service that strangers can reach.
const DefaultMaxGroups = 10000

// Errors of a store that callers tell apart.
var (
	// ErrConflict says that the group is no longer at the revision that the change was made from.
	ErrConflict = errors.New("roster has changed meanwhile")
	// ErrTooManyGroups says that the store holds as many groups as it may, and all have peers.
	ErrTooManyGroups = errors.New("too many groups")
	// ErrTooLarge says that the store cannot hold a roster of that size, now or later.
	ErrTooLarge = errors.New("the roster is too large")
	// ErrClosed says that the store or the service is closed.
	ErrClosed = errors.New("closed")
)

// Store keeps the rosters of all groups. A roster that came from a store or went into it
// is shared, and nobody changes it. All methods are safe for concurrent use and return the error
// of ctx when that ends first; a change may then still be made. A store that waits for a backend waits no longer than
// Patience says.
//
// A store at its limit of groups forgets a group without peers to make room for a new one. The
// revision of a group never goes back, not even when it was forgotten in between.
type Store interface {
	// Load returns the roster of a group. That of an unknown group has no peers and no
	// configuration, and the revision from which CompareAndSwap creates the group.
	Load(ctx context.Context, group string) (*bootstrapv1.Roster, error)
	// CompareAndSwap replaces the roster of a group if it is still at the given revision,
	// else it returns ErrConflict. The new roster has the revision after that. When it returns
	// nil, the change is as durable as the store can make it.
	CompareAndSwap(ctx context.Context, group string, revision uint64, roster *bootstrapv1.Roster) error
	// Watch yields the current roster of a group and then each newer one. A reader
	// that is slow gets the newest only. It ends with an error, that of ctx or ErrClosed.
	Watch(ctx context.Context, group string) iter.Seq2[*bootstrapv1.Roster, error]
	// Groups are the names of the groups held, in any order.
	Groups(ctx context.Context) ([]string, error)
	// Healthy returns nil when the store can make changes.
	Healthy(ctx context.Context) error
}

// Updater is a Store that applies changes itself, and so needs no retries and can make
// several changes durable at once.
type Updater interface {
	// Update replaces the roster of a group by what change returns for it, and returns both. When
	// change returns its argument, nothing is written. The store calls change from any goroutine and
	// perhaps after Update has returned because ctx ended; change must not block. It calls change again
	// for a newer roster when that of the first call is out of date, or when it does not know whether
	// the change was made; so change must be idempotent, as all rules are.
	Update(ctx context.Context, group string, change Change) (before, after *bootstrapv1.Roster, err error)
}

// Change makes the next roster from one, as the rules do.
type Change func(*bootstrapv1.Roster) *bootstrapv1.Roster

// update applies a change to the roster of a group, whatever else changes it meanwhile.
func update(ctx context.Context, s Store, group string, change Change) (before, after *bootstrapv1.Roster, err error) {
	for try := 0; ; try++ {
		before, err = s.Load(ctx, group)
		if err != nil {
			return nil, nil, fmt.Errorf("load group %s: %w", group, err)
		}
		after = change(before)
		if after == before {
			return before, after, nil
		}
		if u, ok := s.(Updater); ok {
			before, after, err = u.Update(ctx, group, change)
		} else {
			err = s.CompareAndSwap(ctx, group, before.GetRevision(), after)
		}
		if err == nil {
			return before, after, nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, nil, fmt.Errorf("change group %s: %w", group, err)
		}
		if err := backOff(ctx, try); err != nil {
			return nil, nil, fmt.Errorf("change group %s: %w", group, err)
		}
	}
}

// backOff waits between two tries of a change. A conflict means that somebody else got
// through, so the first tries follow at once; then writers spread over up to 20 ms.
func backOff(ctx context.Context, try int) error {
	if try < 3 {
		return ctx.Err()
	}
	limit := min(20*time.Millisecond, time.Millisecond<<min(try-3, 10))
	return sleep(ctx, rand.N(limit))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
