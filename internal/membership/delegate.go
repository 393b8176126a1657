package membership

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate is what memberlist calls, often with its locks held. Its methods copy and put notes
// into the queue; they never call memberlist, never block and never call out.
type delegate struct {
	queue   *queue
	digest  *digester
	store   *store
	meta    func() []byte
	pending func(overhead, limit int) [][]byte // our broadcasts
	state   func() []byte                      // of a full sync
	// retune is called once, where memberlist holds its lock of nodes; nil when there is nothing to change.
	retune atomic.Pointer[func()]
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
	if change := d.retune.Swap(nil); change != nil {
		(*change)()
	}
	_, err := decodeMeta(n)
	return err
}

// AckPayload implements memberlist.PingDelegate.
func (d *delegate) AckPayload() []byte {
	until := d.store.settled()
	return d.digest.get().encode(d.store.digest(until), until)
}

// NotifyPingComplete implements memberlist.PingDelegate.
func (d *delegate) NotifyPingComplete(n *memberlist.Node, rtt time.Duration, payload []byte) {
	members, data := d.digest.get().compare(payload, d.store.digest)
	d.queue.put(note{ping: &ping{rtt: rtt, differs: members, dataDiffers: data}, node: n.Name})
}

// NodeMeta implements memberlist.Delegate. SetMeta has checked the length.
func (d *delegate) NodeMeta(int) []byte { return d.meta() }

// NotifyMsg implements memberlist.Delegate.
func (d *delegate) NotifyMsg(b []byte) { d.queue.put(note{gossip: slices.Clone(b)}) }

// GetBroadcasts implements memberlist.Delegate.
func (d *delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.pending(overhead, limit)
}

// LocalState implements memberlist.Delegate: the replicated data, and who has left, which are bounded.
func (d *delegate) LocalState(bool) []byte { return d.state() }

// MergeRemoteState implements memberlist.Delegate. memberlist does not use b any more, so it needs no copy.
func (d *delegate) MergeRemoteState(b []byte, _ bool) {
	if len(b) > stateMost {
		d.queue.drop()
		return
	}
	d.queue.put(note{state: b})
}
