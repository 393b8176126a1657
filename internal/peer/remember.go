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
	addrs, err := p.deps.Memory.Load()
	if err != nil {
		p.log.Warn().Err(err).Msg("remembered addresses not read")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = addrs
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

// rememberNow keeps the addresses of the roster and of the oldest live members for the next start; as long as this start has met nobody,
// those of the last one stay.
func (p *Peer) rememberNow() {
	p.saving.Lock()
	defer p.saving.Unlock()
	var met []string
	for _, m := range p.Members() {
		if m.Live() && !m.Self {
			met = append(met, m.Addr)
		}
	}
	if len(met) == 0 {
		met = p.remembered() // the roster may be all of the other side of a split
	}
	addrs := toRemember(p.rosterAddrs(), met)
	// Nothing is forgotten when nobody is there: the last one of a group may be back before the others.
	if len(addrs) == 0 || slices.Equal(addrs, p.saved) {
		return
	}
	p.mu.Lock()
	p.known = addrs
	p.mu.Unlock()
	if p.deps.Memory == nil {
		return
	}
	if err := p.deps.Memory.Save(addrs); err != nil {
		p.log.Warn().Err(err).Msg("addresses not remembered")
		return
	}
	p.saved = addrs
}

// remembersMost is so many that some of them are likely to be there at the next start, and so few that a join which tries them
// all stays short.
const remembersMost = 8

// toRemember are addresses of the roster and of members that were met, half of them each if there are enough of both.
func toRemember(roster, met []string) (addrs []string) {
	half := roster[:min(len(roster), remembersMost/2)]
	for _, a := range slices.Concat(half, met, roster) {
		if len(addrs) < remembersMost && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}
