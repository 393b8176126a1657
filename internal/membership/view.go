package membership

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"peerlab.example/peerlab/app"
)

// settled is after what time a member counts as established: of two peers that start at the
// same time under one name, the older keeps it; but a member that has been there for
// longer keeps it against any newcomer, whatever its clock says.
const settled = 10 * time.Second

// entry is what this node knows of one incarnation of a member.
type entry struct {
	app.Member
	node string // memberlist's name
	// listed is set while memberlist has it among the living, suspects included.
	listed bool
	// shown is set once it was told of. A newcomer under the name of a live member is not, until it
	// announces its RPC address, which it does only after the check in Join.
	shown bool
	// replaced is set when a newer incarnation took the name over: it is told of as lost, and not listed.
	replaced bool
	// leaving is set when it said goodbye.
	leaving bool
	// alive and suspect are the incarnations (of SWIM) of the newest rumours of that kind.
	alive, suspect uint32
	// dead is the newest rumour of that kind; nil when there is none.
	dead *rumour
	// due is when a member that memberlist has dropped is taken for lost, unless it becomes
	// known before that it left; zero when nothing is open.
	due time.Time
	// since is when State became what it is.
	since time.Time
}

func (e *entry) gone() bool { return !e.Live() }

// older orders members by age, ties by id.
func older(a, b app.Member) int {
	return cmp.Or(a.JoinedAt.Compare(b.JoinedAt), cmp.Compare(a.ID, b.ID))
}

// view is what this node believes. One goroutine changes it, by notes; all may read it.
type view struct {
	self   string    // memberlist's name of this node
	digest *digester // is told who is suspect
	// patience is how long a dropped member waits for the rumour that says who dropped it.
	patience time.Duration

	mu      sync.RWMutex
	keep    time.Duration     // guarded by mu; Tuning.KeepGone
	entries map[string]*entry // guarded by mu; by memberlist's name
	order   []*entry          // guarded by mu; all entries, oldest first; nil when it must be made anew
	list    *list             // guarded by mu; nil when it must be made anew
	look    time.Time         // guarded by mu; when tick is to look at all entries again
	places  map[string]int    // guarded by mu; how many listed entries have an address, if any has
}

// list is what all see of a view. It is shared, and never changed: after a change of the view there is another one. The prompt
// asks for it several times for each key, and so do those who count.
type list struct {
	members        []app.Member // oldest first
	alive, suspect int
}

func newView(self app.Member, d *digester, keep time.Duration) *view {
	node := nodeName(self.Name, self.ID)
	v := &view{self: node, digest: d, keep: keep, entries: make(map[string]*entry), places: make(map[string]int)}
	self.Self, self.State = true, app.Alive
	v.entries[node] = &entry{Member: self, node: node, shown: true}
	return v
}

// listing is what all see now.
func (v *view) listing() *list {
	v.mu.RLock()
	l := v.list
	v.mu.RUnlock()
	if l != nil {
		return l
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.list == nil {
		v.list = v.makeList()
	}
	return v.list
}

// makeList wants v.mu held. It sorts only when somebody has come or gone: a round-trip time changes the list each second.
func (v *view) makeList() *list {
	if v.order == nil {
		v.order = slices.Collect(maps.Values(v.entries))
		slices.SortFunc(v.order, func(a, b *entry) int { return older(a.Member, b.Member) })
	}
	l := &list{members: make([]app.Member, 0, len(v.order))}
	for _, e := range v.order {
		if !e.listable() {
			continue
		}
		l.members = append(l.members, e.Member) // with its Apps, which refresh and setMe replace as a whole
		switch e.State {
		case app.Alive:
			l.alive++
		case app.Suspect:
			l.suspect++
		case app.Left, app.Lost:
		}
	}
	return l
}

// number counts the members that are like that. It makes no list, which each change would make stale.
func (v *view) number(like func(app.Member) bool) (n int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, e := range v.entries {
		if e.listable() && like(e.Member) {
			n++
		}
	}
	return n
}

// listable reports whether the entry is one of those that all see.
func (e *entry) listable() bool { return e.shown && !e.replaced }

// remove wants v.mu held.
func (v *view) remove(node string) {
	delete(v.entries, node)
	v.order, v.list = nil, nil
}

func (e *entry) copy() app.Member {
	m := e.Member
	m.Apps = slices.Clone(m.Apps)
	return m
}

func (v *view) me() app.Member {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.entries[v.self].copy()
}

// setMe changes the entry of this node.
func (v *view) setMe(change func(*app.Member)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(&v.entries[v.self].Member)
	v.list = nil
}

func (v *view) byID(id string) (app.Member, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if e := v.find(id); e != nil {
		return e.copy(), true
	}
	return app.Member{}, false
}

// find wants v.mu held.
func (v *view) find(id string) *entry {
	for _, e := range v.entries {
		if e.ID == id {
			return e
		}
	}
	return nil
}

func (v *view) setKeep(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keep = d
}

// listedAt reports whether memberlist has a live member at the address.
func (v *view) listedAt(addr string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.places[addr] > 0
}

// setListed notes whether memberlist lists the entry, and at which address. The lock is held.
func (v *view) setListed(e *entry, listed bool, addr string) {
	if e.listed {
		if v.places[e.Addr]--; v.places[e.Addr] == 0 {
			delete(v.places, e.Addr)
		}
	}
	if e.listed, e.Addr = listed, addr; listed {
		v.places[addr]++
	}
}

// rivals are the live members that have this node's name by right. To a node that is joining these
// are all but those that are starting just now and are newer; to one that has joined, the older ones.
func (v *view) rivals(now time.Time, joining bool) []*entry {
	v.mu.RLock()
	defer v.mu.RUnlock()
	me := v.entries[v.self].Member
	var out []*entry
	for _, e := range v.entries {
		if e.node == v.self || e.Name != me.Name || !e.listed || e.gone() {
			continue
		}
		age := now.Sub(e.JoinedAt)
		if older(me, e.Member) < 0 && (!joining || age >= 0 && age < settled) {
			continue
		}
		c := *e
		out = append(out, &c)
	}
	return out
}

// wanted are the addresses of members that were lost and may come back, and how many are live.
func (v *view) wanted() (addrs []string, live int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, e := range v.entries {
		switch {
		case e.node == v.self || e.listed:
			live++
		case e.State == app.Lost && !e.replaced:
			addrs = append(addrs, e.Addr)
		}
	}
	return addrs, live
}

// left are the ids of those that said goodbye and are gone. Of too many for a sync, they are others each time.
func (v *view) left() (ids []string) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, e := range v.entries { // a map begins elsewhere each time
		if len(ids) == leftMost {
			break
		}
		if e.State == app.Left && e.node != v.self {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// tick settles what time settles, and returns when it is to be called next, at the latest after idleTick. It may be called
// at any time; in a large group it is, and looks at all entries only when something may be due.
func (v *view) tick(now time.Time, maxSuspicion time.Duration) (events []app.MemberEvent, next time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Before(v.look) {
		return nil, v.look
	}
	v.look = now.Add(idleTick)
	for node, e := range v.entries {
		switch {
		case !e.due.IsZero() && !now.Before(e.due):
			events = append(events, v.settle(e, app.Lost, now)...)
		case !e.due.IsZero():
			v.lookAt(e.due)
		case e.State == app.Suspect && now.Sub(e.since) > maxSuspicion:
			// memberlist must have cleared it by then: the rumour of that was missed.
			events = append(events, v.set(e, app.Alive, app.Recovered, now)...)
		case node != v.self && !e.listed && e.gone() && (e.replaced || now.Sub(e.since) > v.keep):
			v.remove(node)
		}
	}
	if len(events) > 0 {
		v.list = nil
	}
	return events, v.look
}

// lookAt has tick look at all entries at that time, if it would not before. The lock is held.
func (v *view) lookAt(at time.Time) {
	if at.Before(v.look) {
		v.look = at
	}
}
