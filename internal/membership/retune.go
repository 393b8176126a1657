package membership

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

// LiveFields are the fields of a Tuning that take effect while a node runs. The last four are memberlist's, which says
// that its configuration should not be modified, for it reads it without a lock in many goroutines; but these (v0.7.0:
// state.go, resetNodes, gossip and suspectNode) it reads only with its lock of nodes held, as it does when it calls
// NotifyAlive, which is where they are changed. All other fields of memberlist are read without a lock, or once, at its start.
func LiveFields() []string {
	return []string{
		"dial-timeout", "sync-interval", "heal-interval", "heal-max", "keep-gone",
		"suspicion-mult", "suspicion-max-mult", "gossip-nodes", "gossip-to-the-dead",
	}
}

// Tuning are the timings by which the node works now.
func (n *Node) Tuning() Tuning { return *n.tuning.Load() }

// Retune changes the timings. Before Start, all take effect. Of a node that runs, those that can be changed do so at once, and
// needsRestart names those that t wants otherwise and that stay as they are: they need another Node. An
// error means that nothing has changed.
func (n *Node) Retune(t Tuning) (needsRestart []string, err error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	n.step.Lock()
	defer n.step.Unlock()
	now := n.Tuning()
	ml, running := n.running(), n.running() != nil
	if running {
		needsRestart = t.fixTo(now)
		if err := t.Validate(); err != nil {
			return nil, fmt.Errorf("with what cannot change now: %w", err)
		}
	}
	n.tuning.Store(&t)
	n.transport.dialTimeout.Store(int64(t.DialTimeout))
	n.view.setKeep(t.KeepGone)
	n.suspicion.Store(max(n.suspicion.Load(), int64(t.SuspicionMult*t.SuspicionMaxMult)))
	if running && t != now {
		n.retune(ml, t)
	}
	return needsRestart, nil
}

// NeedsRestart names the fields that Retune could not give the values of t now.
func (n *Node) NeedsRestart(t Tuning) []string {
	if n.running() == nil {
		return nil
	}
	return t.fixTo(n.Tuning())
}

// Changed are the names of the fields in which t differs from old.
func (t Tuning) Changed(old Tuning) []string {
	var out []string
	before := old.fields()
	for i, f := range t.fields() {
		if f.text() != before[i].text() {
			out = append(out, f.name)
		}
	}
	return out
}

// fixTo sets back the fields that a running node cannot change, and names them.
func (t *Tuning) fixTo(now Tuning) (changed []string) {
	old, live := now.fields(), LiveFields()
	for i, f := range t.fields() {
		if slices.Contains(live, f.name) || f.text() == old[i].text() {
			continue
		}
		changed = append(changed, f.name)
		if f.time != nil {
			*f.time = *old[i].time
		} else {
			*f.count = *old[i].count
		}
	}
	return changed
}

// retune changes memberlist's own fields where memberlist holds its lock of nodes, and sees to it that this is now.
func (n *Node) retune(ml *memberlist.Memberlist, t Tuning) {
	change := func() {
		c := n.memberlistConf
		c.SuspicionMult, c.SuspicionMaxTimeoutMult = t.SuspicionMult, t.SuspicionMaxMult
		c.GossipNodes, c.GossipToTheDeadTime = t.GossipNodes, t.GossipToTheDead
	}
	n.delegate.retune.Store(&change)
	if _, err := n.active(); err == nil {
		_ = ml.UpdateNode(time.Nanosecond) // as in SetMeta; it leads to NotifyAlive
	}
}
