package peer

import (
	"slices"
	"time"
)

// Memory is given new addresses at once, and then after pauses that double from rememberFirst up to rememberMost: when fifty join
// at once, each of their disks would be written to eight times otherwise; and who ends before the second write knows
// only whom it met first.
const (
	rememberFirst = 10 * time.Millisecond
	rememberMost  = time.Second
)

// recall reads what an earlier start has kept.
func (p *Peer) recall() {
	if p.deps.Memory == nil {
		return
	}
	r, err := p.deps.Memory.Load()
	if err != nil {
		p.log.Warn().Err(err).Msg("remembered addresses not read")
	}
	p.places.recalled(r.Members)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.former = r.ID
	for _, m := range r.Members {
		p.known = append(p.known, m.Addr)
	}
	p.older = p.known
}

// remembered are the addresses of this start or of an earlier one, without this peer's own.
func (p *Peer) remembered() []string {
	m := p.membership()
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.known), func(a string) bool { return m != nil && a == m.Addr() })
}

// remember has the addresses kept soon that are known then. It does not wait for the disk: membership tells of changes
// from the goroutine that owns the view.
func (p *Peer) remember() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// rememberNews keeps the addresses when there may be others, until the peer closes.
func (p *Peer) rememberNews() {
	pause, last := rememberFirst, time.Time{}
	for {
		select {
		case <-p.news:
		case <-p.ctx.Done():
			return
		}
		if time.Since(last) > 2*rememberMost {
			pause = rememberFirst
		}
		p.rememberNow()
		last = time.Now()
		if sleep(p.ctx, pause) != nil {
			return
		}
		pause = min(2*pause, rememberMost)
	}
}

// rememberNow keeps the addresses of the roster and of the oldest live members for the next start, and as many of those that were known
// before as there is room for: the last one of a group may be back before the others. This start tries the older ones only as long as it has
// met nobody: who answers there later may be of another group by then.
func (p *Peer) rememberNow() {
	p.saving.Lock()
	defer p.saving.Unlock()
	var met []string
	for _, m := range p.Members() {
		if m.Live() && !m.Self {
			met = append(met, m.Addr)
		}
	}
	roster, known := p.rosterAddrs(), p.remembered()
	if len(met) > 0 {
		known = nil
	}
	p.mu.Lock()
	p.known, p.older = toRemember(roster, met, known), toRemember(roster, met, p.older)
	now, older := Remembered{ID: p.former}, p.older
	p.mu.Unlock()
	for _, a := range older {
		now.Members = append(now.Members, Acquaintance{Name: p.places.name(a), Addr: a})
	}
	if p.deps.Memory == nil || now.ID == p.saved.ID && slices.Equal(now.Members, p.saved.Members) {
		return
	}
	if err := p.deps.Memory.Save(now); err != nil {
		p.log.Warn().Err(err).Msg("addresses not remembered")
		return
	}
	p.saved = now
}

// remembersMost is so many that some of them are likely to be there at the next start, and so few that a join which tries them
// all stays short.
const remembersMost = 8

// toRemember are addresses of the roster and of members that were met, half of them each if there are enough of both, and then of those
// that were known before.
func toRemember(roster, met, known []string) (addrs []string) {
	half := roster[:min(len(roster), remembersMost/2)]
	for _, a := range slices.Concat(half, met, roster, known) {
		if len(addrs) < remembersMost && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}
