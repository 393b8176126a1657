package invariant

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// span is a part of the run.
type span struct{ from, to time.Duration }

// faults are the times in which a fault is active at some peer, merged and in order. One that nobody lifts lasts as long as the process that has it.
func (l *log) faults() []span {
	type rule struct {
		peer string
		life int
		text string
	}
	since := map[rule]time.Duration{}
	var out []span
	for _, e := range l.Entries {
		f := e.Event.GetFault()
		if f == nil {
			continue
		}
		r := rule{e.Peer, e.Life, f.GetRule()}
		at, active := since[r]
		switch {
		case f.GetActive() && !active:
			since[r] = e.At
		case !f.GetActive() && active:
			out = append(out, span{at, e.At})
			delete(since, r)
		}
	}
	for r, at := range since {
		to := l.End
		if lives := l.lives[r.peer]; r.life < len(lives) {
			to = lives[r.life].To
		}
		out = append(out, span{at, to})
	}
	return merged(out)
}

// merged are spans without those that others cover, in order.
func merged(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return int(a.from - b.from) })
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// noFalseDeath wants that nobody is declared lost who runs. A peer whose process was stopped, or that was cut off by a fault, runs: a suite
// which does that on purpose does not switch this on.
func noFalseDeath(l *log, _ time.Duration) []Violation {
	ids, left := l.ids(), l.left()
	var out []Violation
	for _, e := range l.Entries {
		m := e.Event.GetLost()
		if m == nil {
			continue
		}
		life, runs := l.lifeAt(m.GetPeer(), e.At)
		if !runs || life.Ended && life.To-e.At < slack {
			continue
		}
		// A verdict on an earlier start of the peer may come late, and is right.
		if owner, known := ids[m.GetId()]; known && owner.from != life.From {
			continue
		}
		// Who has ended its membership is no member any more, also where its goodbye was not heard.
		if at, gone := left[m.GetId()]; gone && at < e.At+slack {
			continue
		}
		proof := append([]Entry{e}, l.lastOf(m.GetPeer(), 1)...)
		out = append(out, Violation{
			Message: fmt.Sprintf("%s declared %s lost at %.3fs, which ran", e.Peer, m.GetPeer(), e.At.Seconds()),
			Proof:   proof,
		})
	}
	return out
}

// slack is how far apart the ends of a process and what others say of it may be seen by the coordinator.
const slack = 2 * time.Second

// ids says which life each member id belongs to: the one in which its peer, or first somebody else, told of it.
func (l *log) ids() map[string]stay {
	out := map[string]stay{}
	for _, e := range l.Entries {
		m := e.Event.GetJoined()
		if m == nil {
			continue
		}
		if _, known := out[m.GetId()]; known {
			continue
		}
		if life, ok := l.lifeAt(m.GetPeer(), e.At); ok {
			out[m.GetId()] = stay{m.GetPeer(), life.From}
		}
	}
	return out
}

// left is when each member that has ended its membership, by id, said so itself.
func (l *log) left() map[string]time.Duration {
	out := map[string]time.Duration{}
	for _, e := range l.Entries {
		if m := e.Event.GetLeft(); m != nil && m.GetPeer() == e.Peer {
			out[m.GetId()] = e.At
		}
	}
	return out
}

// viewsAgree wants all that run to believe the same members to be alive, once nothing has changed for so long. Changes are
// starts and ends of peers, commands that make a peer join or leave, goodbyes, and faults; while a fault is active, views are not
// judged.
func viewsAgree(l *log, within time.Duration) []Violation {
	var out []Violation
	for _, quiet := range l.quiet(within) {
		if v := l.disagreement(quiet); v != nil {
			out = append(out, *v)
		}
	}
	return out
}

// quiet are the moments at which views must agree: the ends of the times without a change.
func (l *log) quiet(within time.Duration) []time.Duration {
	changes := []time.Duration{0, l.End}
	for _, lives := range l.lives {
		for _, life := range lives {
			changes = append(changes, life.From)
			if life.Ended {
				changes = append(changes, life.To)
			}
		}
	}
	goodbyes := map[string]bool{}
	for _, e := range l.Entries {
		switch left := e.Event.GetLeft(); {
		case e.Event.GetFault() != nil:
			changes = append(changes, e.At)
		case membership(e.Event.GetCommand()): // others may learn of it before it is over
			changes = append(changes, e.At-time.Duration(e.Event.GetCommand().GetDurationNs()), e.At)
		case left != nil && !goodbyes[left.GetId()]: // the process ends a little later than the first of the others hears of it
			goodbyes[left.GetId()] = true
			changes = append(changes, e.At)
		}
	}
	slices.Sort(changes)
	faults := l.faults()
	var out []time.Duration
	for i, at := range changes[1:] {
		broken := slices.ContainsFunc(faults, func(f span) bool { return f.from < at && f.to >= at })
		if at-changes[i] > within && !broken {
			out = append(out, at)
		}
	}
	return out
}

// membership reports whether a command may change who is a member.
func membership(c *eventv1.Command) bool {
	word, rest, _ := strings.Cut(strings.TrimSpace(c.GetLine()), " ")
	switch word {
	case "init", "leave", "quit", "exit":
		return true
	case "member":
		verb, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		return slices.Contains([]string{"create", "start", "join", "leave", "shutdown", "delete"}, verb)
	}
	return strings.HasPrefix(word, "member") && word != "member"
}

// beliefs are the starts of each name that a peer believes to be alive, by name and id, and the event that it
// learned last from.
type beliefs struct {
	alive map[string]map[string]bool
	last  Entry
	own   string // the id under which the peer itself has joined
}

// names are those of which a start is alive.
func (b *beliefs) names() map[string]bool {
	out := map[string]bool{}
	for name, starts := range b.alive {
		if len(starts) > 0 {
			out[name] = true
		}
	}
	return out
}

// disagreement compares the views just before a time, of those that have joined and not left.
func (l *log) disagreement(at time.Duration) *Violation {
	views := map[string]*beliefs{}
	for _, e := range l.Entries {
		if e.At >= at {
			break
		}
		l.believe(views, e)
	}
	members := map[string]bool{}
	for peer, b := range views {
		if life, runs := l.lifeAt(peer, at); runs && b.last.At >= life.From && b.names()[peer] {
			members[peer] = true
		}
	}
	for _, peer := range slices.Sorted(maps.Keys(members)) {
		if seen := views[peer].names(); !maps.Equal(seen, members) {
			return &Violation{
				Message: fmt.Sprintf("at %.3fs %s believes %s to be alive, and %s are members", at.Seconds(), peer, list(seen), list(members)),
				Proof:   []Entry{views[peer].last},
			}
		}
	}
	return nil
}

// believe folds an event into the view of its peer.
func (l *log) believe(views map[string]*beliefs, e Entry) {
	var m *eventv1.Member
	alive := true
	switch what := e.Event.GetWhat().(type) {
	case *eventv1.Event_Joined:
		m = what.Joined
	case *eventv1.Event_Recovered:
		m = what.Recovered
	case *eventv1.Event_Left:
		m, alive = what.Left, false
	case *eventv1.Event_Lost:
		m, alive = what.Lost, false
	default:
		return
	}
	b := views[e.Peer]
	// A new start remembers nothing, and neither does who has left. What becomes of an earlier start of its own is news like any other.
	self := m.GetPeer() == e.Peer
	if b == nil || b.last.At < l.stayOf(e).from || self && !alive && (b.own == "" || b.own == m.GetId()) {
		b = &beliefs{alive: map[string]map[string]bool{}}
		views[e.Peer] = b
	}
	if self && alive && b.own == "" {
		b.own = m.GetId()
	}
	if b.alive[m.GetPeer()] == nil {
		b.alive[m.GetPeer()] = map[string]bool{}
	}
	if alive {
		b.alive[m.GetPeer()][m.GetId()] = true
	} else {
		delete(b.alive[m.GetPeer()], m.GetId())
	}
	b.last = e
}

func list(names map[string]bool) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), ", ")
}

// rosterBounded wants that no roster has more entries than places.
func rosterBounded(l *log, _ time.Duration) []Violation {
	var out []Violation
	for _, e := range l.Entries {
		r := e.Event.GetRoster()
		if r == nil || r.GetMaxPeers() == 0 || r.GetSize() <= r.GetMaxPeers() {
			continue
		}
		out = append(out, Violation{
			Message: fmt.Sprintf("the roster of group %s at revision %d has %d peers in %d places", r.GetGroup(), r.GetRevision(), r.GetSize(), r.GetMaxPeers()),
			Proof:   []Entry{e},
		})
	}
	return out
}
