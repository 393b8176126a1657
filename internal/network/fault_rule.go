package network

import (
	"cmp"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// direction is where something goes: out of this peer, or into it.
type direction int

const (
	out direction = iota
	in
)

// link is this peer and another, on one channel.
type link struct {
	self, name, addr string // name is "" when the address has none
	ch               Channel
}

// from and to in a direction.
func (l link) ends(d direction) (from, to string) {
	if d == in {
		return l.name, l.self
	}
	return l.self, l.name
}

// who names the other end.
func (l link) who() string { return cmp.Or(l.name, l.addr) }

// FaultStatus is a rule that is set.
type FaultStatus struct {
	Rule Rule
	// Left is after what time it ends by itself; 0 means never.
	Left time.Duration
	// Links are those on which it has done something, sorted.
	Links []FaultHits
}

// FaultHits is what a rule has done on a link in one direction.
type FaultHits struct {
	// From and To are names, or an address that has none.
	From, To string
	// Hits counts packets, parts of connections and dialled connections on which the rule acted.
	Hits uint64
	// Lost counts packets that were lost to it.
	Lost uint64
}

// activeRule is a rule that is set.
type activeRule struct {
	Rule
	numbered bool // its id was not chosen by the user
	until    time.Time
	timer    *time.Timer // nil when the rule does not end by itself
	*linkStates
}

// linkStates are what a rule remembers of each link.
type linkStates struct {
	seed uint64

	mu    sync.Mutex
	links map[linkKey]*linkState // guarded by mu
}

type linkKey struct {
	who string
	dir direction
}

// linkState is what a rule remembers of a link in one direction. It is guarded by the lock of linkStates.
type linkState struct {
	self       string
	rand       map[Channel]*rand.Rand
	free       time.Time // when the next byte may go, at that bandwidth
	hits, gone uint64    // how often it acted, and how many packets were lost
}

// maxLinks bounds what is remembered of links to addresses without a name; those on top are one link.
const maxLinks = 4096

func newActiveRule(r Rule, seed uint64) *activeRule {
	return &activeRule{Rule: r, linkStates: &linkStates{seed: seed, links: make(map[linkKey]*linkState)}}
}

// with is the same rule on other links; it ends when a would have.
func (a *activeRule) with(r Rule) *activeRule {
	changed := *a
	changed.Rule = r
	return &changed
}

// told is the rule as others are told: without an id that only this peer knows.
func (a *activeRule) told() Rule {
	r := a.Rule
	if a.numbered {
		r.ID = ""
	}
	return r
}

func (a *activeRule) status() FaultStatus {
	s := FaultStatus{Rule: a.Rule}
	if !a.until.IsZero() {
		s.Left = max(time.Until(a.until), time.Nanosecond)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, l := range a.links {
		h := FaultHits{From: l.self, To: k.who, Hits: l.hits, Lost: l.gone}
		if k.dir == in {
			h.From, h.To = h.To, h.From
		}
		if h.Hits > 0 {
			s.Links = append(s.Links, h)
		}
	}
	slices.SortFunc(s.Links, func(x, y FaultHits) int { return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To)) })
	return s
}

// at is what is remembered of a link. The lock of linkStates is held.
func (a *activeRule) at(l link, d direction) *linkState {
	k := linkKey{who: l.who(), dir: d}
	if a.links[k] == nil && len(a.links) >= maxLinks {
		k.who = "more"
	}
	s := a.links[k]
	if s == nil {
		s = &linkState{self: l.self, rand: make(map[Channel]*rand.Rand)}
		a.links[k] = s
	}
	return s
}

// random is the source of chance of a link and channel: what happens on others does not change what it gives.
func (a *activeRule) random(s *linkState, l link, d direction) *rand.Rand {
	if s.rand[l.ch] == nil {
		h := fnv.New64a()
		for _, part := range []string{l.self, a.ID, l.who(), string(l.ch), []string{"out", "in"}[d]} {
			_, _ = h.Write(append([]byte(part), 0))
		}
		s.rand[l.ch] = rand.New(rand.NewPCG(a.seed, h.Sum64()))
	}
	return s.rand[l.ch]
}

// hit counts that the rule acted.
func (a *activeRule) hit(l link, d direction) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at(l, d).hits++
}

// lost counts a packet that was lost to the rule. hit counts too that it acted, unless that is done.
func (a *activeRule) lost(l link, d direction, hit bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.at(l, d)
	s.gone++
	if hit {
		s.hits++
	}
}

// chance draws whether the rule acts, and counts it.
func (a *activeRule) chance(l link, d direction) bool { return a.drawn(l, d, a.Percent/100) }

// drawn draws with another probability.
func (a *activeRule) drawn(l link, d direction, probability float64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.at(l, d)
	if a.random(s, l, d).Float64() >= probability {
		return false
	}
	s.hits++
	return true
}

// delay draws a latency.
func (a *activeRule) delay(l link, d direction) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.at(l, d)
	s.hits++
	if a.Jitter == 0 {
		return a.Delay
	}
	return a.Delay - a.Jitter + time.Duration(a.random(s, l, d).Int64N(int64(2*a.Jitter)+1))
}

// pace takes the link for n bytes as soon as it is free, and says when they have passed. With a limit, it takes it only
// when fewer bytes than that wait already.
func (a *activeRule) pace(l link, d direction, n, limit int) (passed time.Time, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.at(l, d)
	now := time.Now()
	start := now
	if s.free.After(now) {
		start = s.free
	}
	if limit > 0 && start.Sub(now).Seconds()*float64(a.BytesPerSecond) > float64(limit) {
		return time.Time{}, false
	}
	s.free = start.Add(time.Duration(float64(n) / float64(a.BytesPerSecond) * float64(time.Second)))
	if s.free.After(now) {
		s.hits++ // who finds the line free is held up as well, for as long as it takes to pass
	}
	return s.free, true
}

// never is longer than anything lasts.
const never = time.Duration(math.MaxInt64)

// pause is a channel that gets a value after that time, and what ends the wait for it. For never there is no timer, so that
// virtual time does not run on to its end.
func pause(d time.Duration) (<-chan time.Time, func() bool) {
	if d == never {
		return nil, func() bool { return true }
	}
	t := time.NewTimer(d)
	return t.C, t.Stop
}

// replaced is closed when the rules change. Who waits without rules is woken otherwise.
func (s *ruleSet) replaced() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.changed
}

// each calls do with the rules for what goes over a link in a direction, until that returns false.
func (s *ruleSet) each(l link, d direction, do func(*activeRule) bool) {
	if s == nil || l.name != "" && l.name == l.self {
		return
	}
	from, to := l.ends(d)
	for _, a := range s.rules {
		if a.on(l.ch) && a.crosses(from, to) && !do(a) {
			return
		}
	}
}

// touches reports whether there is a rule for a link in one of the directions.
func (s *ruleSet) touches(l link, directions ...direction) (yes bool) {
	for _, d := range directions {
		s.each(l, d, func(*activeRule) bool {
			yes = true
			return false
		})
	}
	return yes
}

// cut is the first rule by which nothing passes, or nil. A connection over which all is lost stands still.
func (s *ruleSet) cut(l link, d direction) (by *activeRule) {
	s.each(l, d, func(a *activeRule) bool {
		if a.Kind == Partition || a.Kind == Loss && a.Percent >= 100 && l.ch != Packets {
			by = a
		}
		return by == nil
	})
	return by
}
