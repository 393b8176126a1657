package membership

import (
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate is what memberlist calls, often with its locks held. Its methods copy and put notes
// into the queue; they never call memberlist, never block and never call out.
type delegate struct {
	queue   *queue
	digest  *digester
	meta    func() []byte
	pending func(overhead, limit int) [][]byte // our broadcasts
}

var (
	_ memberlist.Delegate      = (*delegate)(nil)
	_ memberlist.EventDelegate = (*delegate)(nil)
	_ memberlist.PingDelegate  = (*delegate)(nil)
	_ memberlist.AliveDelegate = (*delegate)(nil)
)

// NotifyJoin implements memberlist.EventDelegate.
func (d *delegate) NotifyJoin(n *memberlist.Node) {
	d.digest.list(n.Name, n.Meta)
	if m, err := decodeMeta(n); err == nil {
		d.queue.put(note{joined: &m, node: n.Name})
	}
}

// NotifyUpdate implements memberlist.EventDelegate.
func (d *delegate) NotifyUpdate(n *memberlist.Node) {
	d.digest.list(n.Name, n.Meta)
	if m, err := decodeMeta(n); err == nil {
		d.queue.put(note{updated: &m, node: n.Name})
	}
}

// NotifyLeave implements memberlist.EventDelegate: left or lost, memberlist does not say which.
func (d *delegate) NotifyLeave(n *memberlist.Node) {
	d.digest.remove(n.Name)
	d.queue.put(note{gone: true, node: n.Name})
}

// NotifyAlive implements memberlist.AliveDelegate: nodes that are not ours, or would hurt, do not get in.
func (d *delegate) NotifyAlive(n *memberlist.Node) error {
	_, err := decodeMeta(n)
	return err
}

// AckPayload implements memberlist.PingDelegate.
func (d *delegate) AckPayload() []byte { return d.digest.get().encode() }

// NotifyPingComplete implements memberlist.PingDelegate.
func (d *delegate) NotifyPingComplete(n *memberlist.Node, rtt time.Duration, payload []byte) {
	theirs, ok := decodeDigest(payload)
	d.queue.put(note{ping: &ping{rtt: rtt, differs: ok && theirs != d.digest.get()}, node: n.Name})
}

// NodeMeta implements memberlist.Delegate. SetMeta has checked the length.
func (d *delegate) NodeMeta(int) []byte { return d.meta() }

// NotifyMsg implements memberlist.Delegate.
func (d *delegate) NotifyMsg(b []byte) { d.queue.put(note{gossip: slices.Clone(b)}) }

// GetBroadcasts implements memberlist.Delegate.
func (d *delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.pending(overhead, limit)
}

// LocalState implements memberlist.Delegate. State of ours stays out of push/pull, so that it stays small.
func (d *delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (d *delegate) MergeRemoteState([]byte, bool) {}
