package membership

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/app"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

const (
	// stateMost is the largest state of another member that is read, in bytes: at the limits of data.go, entries and
	// deletions take about 1 MiB.
	stateMost = 4 << 20
	// statesWaiting is how many of those wait to be read; what comes on top is dropped and counted. Each full sync
	// brings one, and the next brings the same again.
	statesWaiting = 16
	// relayMost is how many entries that a full sync brought are gossiped on: after a split of hundreds, few members
	// meet somebody of the other side. What is more, the others get by a full sync of their own.
	relayMost = 128
	// refusalQuiet is how long nothing is logged after a refusal was.
	refusalQuiet = time.Minute
)

// dataChange is a change of the data, to be told.
type dataChange struct {
	application string
	entry       app.Entry
}

// Set gives a key of the application a value, at all members. The limits are those of app.Data.
func (n *Node) Set(application, key string, value []byte) error {
	if err := n.canWrite(); err != nil {
		return fmt.Errorf("set %s: %w", key, err)
	}
	return n.store.set(dataKey{application, key}, value)
}

// Delete removes a key of the application, at all members.
func (n *Node) Delete(application, key string) error {
	if err := n.canWrite(); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return n.store.remove(dataKey{application, key})
}

func (n *Node) canWrite() error {
	if _, err := n.active(); err != nil {
		return err
	}
	if n.queue.changes() >= changesWaiting {
		return ErrBusy // who is told of changes does not keep up
	}
	return nil
}

// Get is a copy of the value of a key.
func (n *Node) Get(application, key string) ([]byte, bool) {
	return n.store.get(dataKey{application, key})
}

// Entries are copies of all entries of the application that have a value, sorted by key.
func (n *Node) Entries(application string) []app.Entry { return n.store.entries(application) }

// Replay calls f from the goroutine that calls OnData, with all entries of the application that have a value: those of which
// OnData was told before, and not those of which it is told afterwards. It does not wait for f.
func (n *Node) Replay(application string, f func([]app.Entry)) {
	n.store.replay(application, func(all []app.Entry) { n.queue.put(note{call: func() { f(all) }}) })
}

// tellChange has OnData told. The store calls it with its lock held, so that the order is that of the store.
func (n *Node) tellChange(k dataKey, e app.Entry) {
	e.Value = slices.Clone(e.Value)
	n.queue.put(note{change: &dataChange{application: k.app, entry: e}})
}

// sendEntry gossips an entry; an older version that still waits to be sent is replaced. The store calls it
// with its lock held.
func (n *Node) sendEntry(k dataKey, e app.Entry, message []byte) bool {
	if message == nil {
		g := &membershipv1.Gossip{Origin: n.gossip.id, Seq: n.gossip.seq.Add(1), What: &membershipv1.Gossip_Entry{Entry: encodeEntry(k, e)}}
		var err error
		if message, err = proto.Marshal(g); err != nil || len(message) > n.gossip.room {
			// Neither happens: texts were checked, and the limits of data are far below those of a packet.
			n.log.Error().Err(err).Int("bytes", len(message)).Msg("an entry cannot be gossiped; full syncs will carry it")
			return true
		}
	}
	return n.gossip.queue.put(message, k)
}

// state is what a full sync carries beside what memberlist has.
func (n *Node) state() []byte {
	b, _ := proto.Marshal(&membershipv1.Sync{Entries: n.store.all(), Left: n.view.left()}) // it cannot fail: all texts are valid UTF-8
	return b
}

// receivedState handles the state of another member.
func (n *Node) receivedState(b []byte) {
	var all membershipv1.Sync
	if err := proto.Unmarshal(b, &all); err != nil {
		n.refuse("a member's data that cannot be read", err)
		return
	}
	n.hearLeft(all.GetLeft())
	relays := relayMost
	if n.claiming.Load() || n.gossip.queue.size() > broadcastsWaiting/2 {
		relays = 0 // a newcomer is the one that lacked it
	}
	for _, p := range all.GetEntries() {
		if n.merge(p, nil, relays > 0) == taken {
			relays--
		}
	}
}

// merge takes in an entry of another member. relay sends it on if it is news: as message, if that is not nil.
func (n *Node) merge(p *membershipv1.Entry, message []byte, relay bool) outcome {
	k, e, err := decodeEntry(p)
	if err != nil {
		n.refuse("an entry", err)
		return refused
	}
	result, sent := n.store.merge(k, e, message, relay)
	if !sent {
		n.gossip.dropped.Add(1)
	}
	if result == refused {
		n.refuse("an entry", fmt.Errorf("key %q: its stamp %s is more than %s ahead of this peer's clock, or there is no room", k.key, e.Stamp, maxAhead))
	}
	return result
}

// refuse counts, and logs now and then.
func (n *Node) refuse(what string, err error) {
	n.refused.Add(1)
	if now := time.Now(); now.Sub(n.refusedLog) > refusalQuiet {
		n.refusedLog = now
		n.log.Warn().Err(err).Uint64("refused", n.refused.Load()).Msg("refused " + what)
	}
}

// all are all entries and deletions, as a full sync carries them.
func (s *store) all() (entries []*membershipv1.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, d := range s.data {
		entries = append(entries, encodeEntry(k, d.Entry))
	}
	return entries
}

func encodeEntry(k dataKey, e app.Entry) *membershipv1.Entry {
	return &membershipv1.Entry{
		App: k.app, Key: k.key, Value: e.Value, Deleted: e.Deleted,
		Wall: e.Stamp.Wall, Logical: e.Stamp.Logical, Node: e.Stamp.Node,
	}
}

// decodeEntry checks what another member sent.
func decodeEntry(p *membershipv1.Entry) (dataKey, app.Entry, error) {
	k := dataKey{app: p.GetApp(), key: p.GetKey()}
	e := app.Entry{
		Key: p.GetKey(), Value: slices.Clone(p.GetValue()), Deleted: p.GetDeleted(),
		Stamp: app.Stamp{Wall: p.GetWall(), Logical: p.GetLogical(), Node: p.GetNode()},
	}
	errs := []error{checkKey(k), checkText("writer", e.Stamp.Node, maxID)}
	if e.Stamp.Wall <= 0 {
		errs = append(errs, errors.New("its stamp is none"))
	}
	if len(e.Value) > app.MaxValue || e.Deleted && len(e.Value) > 0 {
		errs = append(errs, fmt.Errorf("value of %d bytes: %w", len(e.Value), ErrTooLarge))
	}
	return k, e, errors.Join(errs...)
}
