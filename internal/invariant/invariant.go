// Package invariant checks what must hold over a whole run, whatever its suite does: it reads the merged
// event log of all peers, and names the events that prove a violation.
//
// A log is in the order in which the coordinator received it, on its clock; events of one peer are in the order
// of that peer. What is said of two peers is therefore exact to the delay of the event streams, and each invariant that
// compares peers allows for it.
package invariant

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"peerlab.example/peerlab/internal/event"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// Log is all that is known of a run.
type Log struct {
	// Entries are the events of all peers.
	Entries []Entry
	// Lives are the times in which peers ran, in any order. A peer that was started again has several.
	Lives []Life
	// End is when the run was over.
	End time.Duration
}

// Entry is one event, and when the coordinator had it.
type Entry struct {
	Peer  string
	At    time.Duration // since the start of the run
	Life  int           // which of the peer's lives it is of; the first is 0
	Event *eventv1.Event
}

// Life is one process of a peer.
type Life struct {
	Peer     string
	From, To time.Duration // To is the end of the run where nothing ended it before
	// Ended is whether the process ended within the run, by itself or because the suite ended it; How says which.
	Ended bool
	How   string
}

// Violation is one thing that must not be.
type Violation struct {
	// Message says what happened, to whom and when.
	Message string
	// Proof are the events that show it, in the order of the log.
	Proof []Entry
}

// Most is how many violations of one invariant are told: more of them say nothing new.
const Most = 20

// Check is one invariant.
type Check struct {
	Name    string
	Summary string
	// Within is whether it takes a time, as in "views-agree within 10s"; Default is what holds without.
	Within  bool
	Default time.Duration
	run     func(l *log, within time.Duration) []Violation
}

// Checks are all invariants.
func Checks() []Check {
	return []Check{
		{Name: "no-false-death", Summary: "nobody who runs is declared lost", run: noFalseDeath},
		{Name: "per-sender-order", Summary: "messages of one sender arrive in the order in which they were sent", run: perSenderOrder},
		{Name: "no-duplicates", Summary: "no message is delivered twice at one peer", run: noDuplicates},
		{
			Name: "no-silent-loss", Summary: "each message is delivered to all for whom it was queued, or counted as dropped",
			Within: true, Default: 5 * time.Second, run: noSilentLoss,
		},
		{
			Name: "views-agree", Summary: "when nothing changes, all that run believe the same members to be alive",
			Within: true, Default: 10 * time.Second, run: viewsAgree,
		},
		{Name: "roster-bounded", Summary: "the roster never holds more peers than it has places", run: rosterBounded},
	}
}

// Find returns the invariant of that name.
func Find(name string) (Check, bool) {
	all := Checks()
	i := slices.IndexFunc(all, func(c Check) bool { return c.Name == name })
	if i < 0 {
		return Check{}, false
	}
	return all[i], true
}

// Run checks a log. within is for those that take a time; 0 means the default.
func (c Check) Run(l Log, within time.Duration) []Violation {
	indexed := newLog(l)
	out := c.run(indexed, cmp.Or(within, c.Default))
	return out[:min(len(out), Most)]
}

// log is a Log with what several checks look for.
type log struct {
	Log
	lives map[string][]Life // by peer, in order
}

func newLog(l Log) *log {
	out := &log{Log: l, lives: map[string][]Life{}}
	out.Entries = slices.Clone(l.Entries)
	slices.SortStableFunc(out.Entries, func(a, b Entry) int { return cmp.Compare(a.At, b.At) })
	for _, life := range l.Lives {
		out.lives[life.Peer] = append(out.lives[life.Peer], life)
	}
	for _, lives := range out.lives {
		slices.SortFunc(lives, func(a, b Life) int { return cmp.Compare(a.From, b.From) })
	}
	return out
}

// lifeAt is the life of a peer at a time.
func (l *log) lifeAt(peer string, at time.Duration) (Life, bool) {
	for _, life := range l.lives[peer] {
		if life.From <= at && at <= life.To {
			return life, true
		}
	}
	return Life{}, false
}

// String is an entry as messages and proofs show it.
func (e Entry) String() string {
	return fmt.Sprintf("%.3fs %s: %s", e.At.Seconds(), e.Peer, event.Line(e.Event))
}
