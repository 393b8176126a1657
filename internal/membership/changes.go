package membership

import (
	"time"

	"peerlab.example/peerlab/app"
)

// The methods here change the view, one for each kind of note. They return what is to be told.

// apply takes in one note of membership.
func (v *view) apply(n note, now time.Time) []app.MemberEvent {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = nil
	e := v.entries[n.node]
	switch {
	case n.joined != nil:
		return v.joined(e, n.node, *n.joined, now)
	case n.rumour != nil:
		return v.rumour(v.entries[n.rumour.node], *n.rumour, now)
	case e == nil:
		return nil
	case n.updated != nil:
		return v.updated(e, *n.updated, now)
	case n.gone:
		return v.dropped(e, now)
	case n.ping != nil:
		e.RTT = n.ping.rtt
		if e.replaced && e.listed {
			// It was reported to be gone, and it is not.
			e.replaced = false
			return v.set(e, app.Alive, app.Recovered, now)
		}
	}
	return nil
}

// joined: memberlist lists a node that it did not list.
func (v *view) joined(e *entry, node string, m app.Member, now time.Time) []app.MemberEvent {
	if e == nil {
		e = &entry{Member: m, node: node, since: now}
		v.setListed(e, true, m.Addr)
		v.entries[node] = e
		v.order = nil
		return v.show(e, now)
	}
	was := e.State
	v.refresh(e, m)
	v.setListed(e, true, m.Addr)
	e.leaving, e.replaced, e.dead, e.due = false, false, nil, time.Time{}
	if node == v.self || was == app.Alive {
		return nil
	}
	return v.set(e, app.Alive, app.Recovered, now)
}

// refresh takes over what the member says of itself.
func (v *view) refresh(e *entry, m app.Member) {
	if !e.JoinedAt.Equal(m.JoinedAt) {
		v.order = nil
	}
	v.setListed(e, e.listed, m.Addr)
	e.RPCAddr, e.Apps, e.JoinedAt = m.RPCAddr, m.Apps, m.JoinedAt
}

// updated: a live member announces something else.
func (v *view) updated(e *entry, m app.Member, now time.Time) []app.MemberEvent {
	v.refresh(e, m)
	if e.node == v.self {
		return nil
	}
	if !e.shown {
		return v.show(e, now)
	}
	return []app.MemberEvent{{Change: app.Updated, Member: e.copy()}}
}

// show tells of a new member, and of what that means for an older incarnation of it.
func (v *view) show(e *entry, now time.Time) []app.MemberEvent {
	var events []app.MemberEvent
	for _, o := range v.entries {
		if o != e && o.Name == e.Name && o.State == app.Alive && o.shown && e.RPCAddr == "" {
			return nil
		}
	}
	for _, o := range v.namesakes(e) {
		if o.State != app.Alive && older(o.Member, e.Member) < 0 {
			events = append(events, v.replace(o, now)...)
		}
	}
	e.shown = true
	return append(events, app.MemberEvent{Change: app.Joined, Member: e.copy()})
}

// namesakes are the other incarnations, or members, of the same name.
func (v *view) namesakes(e *entry) []*entry {
	var out []*entry
	for _, o := range v.entries {
		if o != e && o.Name == e.Name && o.node != v.self {
			out = append(out, o)
		}
	}
	return out
}

// replace takes an incarnation out of the list for good, as lost if it was live.
func (v *view) replace(e *entry, now time.Time) []app.MemberEvent {
	e.replaced = true
	e.suspect = max(e.suspect, e.alive) // only a newer incarnation refutes it
	if e.gone() {
		return nil
	}
	e.due = time.Time{}
	return v.set(e, app.Lost, app.WasLost, now)
}

// replacedBy reports whether a newer live incarnation has the name.
func (v *view) replacedBy(e *entry) bool {
	for _, o := range v.namesakes(e) {
		if o.shown && o.State == app.Alive && older(e.Member, o.Member) < 0 {
			return true
		}
	}
	me := v.entries[v.self]
	return e.Name == me.Name && older(e.Member, me.Member) < 0
}

// dropped: memberlist no longer lists the node, and does not say why.
func (v *view) dropped(e *entry, now time.Time) []app.MemberEvent {
	v.setListed(e, false, e.Addr)
	switch {
	case e.node == v.self:
		e.State = app.Left
		return nil
	case !e.shown:
		v.set(e, app.Lost, app.WasLost, now)
		v.remove(e.node)
		return nil
	case e.gone():
		return nil
	case e.leaving:
		return v.settle(e, app.Left, now)
	case e.dead != nil:
		return v.settle(e, e.dead.verdict(), now)
	}
	e.due = now.Add(v.patience)
	v.lookAt(e.due)
	return nil
}

// verdict of a rumour of death: who says so of itself has left.
func (r rumour) verdict() app.State {
	if r.from == r.node {
		return app.Left
	}
	return app.Lost
}

// settle ends a member's life in the view.
func (v *view) settle(e *entry, s app.State, now time.Time) []app.MemberEvent {
	e.due = time.Time{}
	change := app.WasLost
	if s == app.Left {
		change = app.HasLeft
	}
	events := v.set(e, s, change, now)
	e.replaced = v.replacedBy(e)
	return append(events, v.reveal(e, now)...)
}

// reveal shows who waited for the name of e.
func (v *view) reveal(e *entry, now time.Time) (events []app.MemberEvent) {
	for _, o := range v.namesakes(e) {
		if !o.shown && o.listed {
			events = append(events, v.show(o, now)...)
		}
	}
	return events
}

// set changes the state of a member and tells of it.
func (v *view) set(e *entry, s app.State, c app.Change, now time.Time) []app.MemberEvent {
	switch {
	case s == app.Suspect:
		v.digest.suspect(e.node)
	case e.State == app.Suspect:
		v.digest.clear(e.node)
	}
	e.State, e.since = s, now
	if !e.shown {
		return nil
	}
	return []app.MemberEvent{{Change: c, Member: e.copy()}}
}

// rumour: this node has gossiped something about a member, so that it believes it.
func (v *view) rumour(e *entry, r rumour, now time.Time) []app.MemberEvent {
	if e == nil || e.node == v.self {
		return nil
	}
	switch r.kind {
	case msgAlive:
		e.alive = max(e.alive, r.incarnation)
		if e.listed && r.incarnation > e.suspect && (e.State == app.Suspect || e.replaced) {
			e.replaced = false
			return v.set(e, app.Alive, app.Recovered, now)
		}
	case msgSuspect:
		return v.suspected(e, r, now)
	case msgDead:
		if r.incarnation < e.alive {
			return nil
		}
		e.dead = &r
		if !e.due.IsZero() {
			return v.settle(e, r.verdict(), now)
		}
	}
	return nil
}

func (v *view) suspected(e *entry, r rumour, now time.Time) []app.MemberEvent {
	if !e.listed || r.incarnation < e.alive {
		return nil
	}
	e.suspect = max(e.suspect, r.incarnation)
	if e.State != app.Alive {
		return nil
	}
	if v.replacedBy(e) {
		return v.replace(e, now)
	}
	if e.leaving { // and does not answer any more: memberlist's own goodbye has not come, and its verdict would take long
		return v.settle(e, app.Left, now)
	}
	return append(v.set(e, app.Suspect, app.Suspected, now), v.reveal(e, now)...)
}

// hearLeft: somebody has heard that a member said goodbye. That is news of one that is gone, and seems to be lost; who is alive is not believed to
// have left because of what others say.
func (v *view) hearLeft(id string, now time.Time) []app.MemberEvent {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.find(id)
	if e == nil || e.node == v.self || e.State == app.Alive && e.due.IsZero() {
		return nil
	}
	v.list = nil
	return v.said(e, now)
}

// goodbye: a member announced that it leaves, or, under its name, a newer incarnation of it
// that it is no more.
func (v *view) goodbye(id, origin string, now time.Time) []app.MemberEvent {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = nil
	e, o := v.find(id), v.find(origin)
	switch {
	case e == nil || e.node == v.self:
		return nil
	case id == origin:
		return v.said(e, now)
	case o != nil && o.Name == e.Name && older(e.Member, o.Member) < 0:
		return append(v.replace(e, now), v.reveal(e, now)...)
	}
	return nil
}

// said: the member itself has said goodbye.
func (v *view) said(e *entry, now time.Time) []app.MemberEvent {
	e.leaving = true
	if !e.due.IsZero() || e.State == app.Suspect || e.State == app.Lost && !e.listed && !e.replaced {
		return v.settle(e, app.Left, now)
	}
	return nil
}
