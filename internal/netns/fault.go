package netns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// fault is something that is wrong between two sets of peers, until it is healed or its time is over.
type fault struct {
	id    string          // empty for none
	links map[[2]int]bool // from, to; by index
	lanes [everything]bool
	flow  flow
	timer *time.Timer // nil without an end
}

// stop ends the timer. The lock of the lab is held.
func (f *fault) stop(l *Lab) {
	if f.timer != nil && f.timer.Stop() {
		l.expiring.Done()
	}
}

// add puts a fault in force, for a while if d is not 0.
func (l *Lab) add(ctx context.Context, f *fault, d time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.hub == "" {
		return errors.New("the lab does not run")
	}
	was := l.active
	same := func(a *fault) bool { return f.id != "" && a.id == f.id }
	l.active = append(slices.DeleteFunc(slices.Clone(was), same), f)
	if err := l.apply(ctx); err != nil {
		l.active = was
		return errors.Join(err, l.apply(context.WithoutCancel(ctx)))
	}
	for _, a := range was {
		if same(a) {
			a.stop(l)
		}
	}
	if d > 0 {
		l.expiring.Add(1)
		f.timer = time.AfterFunc(d, func() { l.expire(f) })
	}
	return nil
}

// expire ends a fault whose time is over.
func (l *Lab) expire(f *fault) {
	defer l.expiring.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := slices.DeleteFunc(slices.Clone(l.active), func(a *fault) bool { return a == f })
	if l.closed || len(kept) == len(l.active) {
		return
	}
	l.active = kept
	if err := l.apply(context.Background()); err != nil {
		l.log.Warn().Err(err).Msg("a fault whose time is over stays")
	}
}

// heal ends faults on the links that match; one that has other links goes on there.
func (l *Lab) heal(ctx context.Context, matches func(from, to int) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errors.New("the lab does not run")
	}
	kept := l.active[:0:0]
	for _, f := range l.active {
		// Its map is replaced and not changed: another apply may have failed half-way and come back to it.
		links := maps.Clone(f.links)
		maps.DeleteFunc(links, func(link [2]int, _ bool) bool { return matches(link[0], link[1]) })
		f.links = links
		if len(links) == 0 {
			f.stop(l)
			continue
		}
		kept = append(kept, f)
	}
	l.active = kept
	return l.apply(ctx)
}

// apply makes the kernel do what the active faults say. The lock is held.
func (l *Lab) apply(ctx context.Context) error {
	want, copied, err := l.flows()
	if err != nil {
		return err
	}
	addr := func(i int) netip.Addr { return l.order[i].addr }
	for _, p := range l.order {
		lines := change(p.flows, want[p.index], addr)
		if err := batch(ctx, "tc", p.ns, lines); err != nil {
			// What tc did before it failed is not known: begin anew, without what waits in the queues.
			p.flows = map[place]flow{}
			reset := batch(context.WithoutCancel(ctx), "tc", p.ns, append([]string{"qdisc delete dev eth0 root"}, queues()...))
			return errors.Join(fmt.Errorf("queues of %s: %w", p.name, err), reset)
		}
		p.flows = want[p.index]
		if err := l.copy(ctx, p, copied[p.index], addr); err != nil {
			return fmt.Errorf("queues to %s: %w", p.name, err)
		}
	}
	return nil
}

// flows are what the active faults amount to, by the index of the peer that sends, and what is copied, by
// that of the peer that receives. The lock is held.
func (l *Lab) flows() ([]map[place]flow, []copies, error) {
	links := map[[2]int]*[everything]flow{}
	for _, f := range l.active {
		for link := range f.links {
			all := links[link]
			if all == nil {
				all = new([everything]flow)
				links[link] = all
			}
			for i := range all {
				if f.lanes[i] {
					all[i] = all[i].with(f.flow)
				}
			}
		}
	}
	want, copied := make([]map[place]flow, len(l.order)), make([]copies, len(l.order))
	for i := range want {
		want[i] = map[place]flow{}
	}
	var errs []error
	for link, all := range links {
		from, to := link[0], link[1]
		var twice [everything]flow
		for i, f := range all {
			all[i].duplicate, twice[i].duplicate = 0, f.duplicate
		}
		maps.Copy(want[from], placed(to, *all))
		for p, f := range placed(from, twice) {
			if err := copied[to].add(p, f.duplicate); err != nil {
				errs = append(errs, fmt.Errorf("what comes to %s: %w", l.order[to].name, err))
			}
		}
	}
	for i := range copied {
		slices.SortFunc(copied[i].from, byNumber)
	}
	return want, copied, errors.Join(errs...)
}

// placed are the places that a link's flows, one for each lane, need.
func placed(to int, all [everything]flow) map[place]flow {
	places := map[place]flow{}
	if all[packets] == all[streams] && all[streams] == all[rpc] {
		places[place{to, everything}] = all[packets]
	} else {
		for i, f := range all {
			places[place{to, lane(i)}] = f
		}
	}
	maps.DeleteFunc(places, func(_ place, f flow) bool { return f == flow{} })
	return places
}
