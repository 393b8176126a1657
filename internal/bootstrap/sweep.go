package bootstrap

import (
	"errors"
	"fmt"
	"time"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// minSweep keeps many short leases from making the sweeper busy.
const minSweep = 50 * time.Millisecond

// sweep drops ended leases until the service is closed.
func (s *Service) sweep() {
	for {
		next, err := s.sweepOnce()
		if err != nil && s.ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("drop ended leases")
		}
		wait := s.every
		if !next.IsZero() {
			wait = min(wait, max(time.Until(next), minSweep))
		}
		if sleep(s.ctx, wait) != nil {
			return
		}
	}
}

// sweepOnce drops the leases that have ended and returns when the next one ends, the zero
// time if there is none.
func (s *Service) sweepOnce() (next time.Time, err error) {
	groups, err := s.store.Groups(s.ctx)
	if err != nil {
		return next, err
	}
	var errs []error
	sizes := make(map[string]int, len(groups))
	for _, group := range groups {
		r, err := s.store.Load(s.ctx, group)
		if err == nil && anyExpired(r, time.Now()) {
			r, err = s.apply(s.ctx, group, Expire)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("group %s: %w", group, err))
			continue
		}
		next = earlier(next, r)
		sizes[group] = len(r.GetPeers())
	}
	if len(errs) == 0 {
		s.meter.Swept(sizes)
	}
	return next, errors.Join(errs...)
}

// earlier is the first of a time and the end of the first lease in r; zero times do not count.
func earlier(t time.Time, r *bootstrapv1.Roster) time.Time {
	at := Expiry(r)
	if t.IsZero() || !at.IsZero() && at.Before(t) {
		return at
	}
	return t
}
