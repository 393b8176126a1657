package peer

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/membership"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// consoleData is whose data those of the broadcast commands are. No application has that name.
const consoleData = "broadcast"

// data are the replicated data of one application, in whatever membership the peer has.
type data struct {
	peer        *Peer
	application string
}

// Set implements app.Data.
func (d data) Set(key string, value []byte) error {
	m := d.peer.membership()
	if m == nil {
		return fmt.Errorf("set %s: %w", key, app.ErrNotStarted)
	}
	return notStarted(m.Set(d.application, key, value))
}

// Delete implements app.Data.
func (d data) Delete(key string) error {
	m := d.peer.membership()
	if m == nil {
		return fmt.Errorf("delete %s: %w", key, app.ErrNotStarted)
	}
	return notStarted(m.Delete(d.application, key))
}

// notStarted makes an error of a membership that does not run one that applications know.
func notStarted(err error) error {
	if errors.Is(err, membership.ErrNotRunning) {
		return fmt.Errorf("%w: %w", app.ErrNotStarted, err)
	}
	return err
}

// Get implements app.Data.
func (d data) Get(key string) ([]byte, bool) {
	m := d.peer.membership()
	if m == nil {
		return nil, false
	}
	return m.Get(d.application, key)
}

// Entries implements app.Data.
func (d data) Entries() []app.Entry {
	m := d.peer.membership()
	if m == nil {
		return nil
	}
	return m.Entries(d.application)
}

// clock is the peer's clock; its stamps are in the name of the member that the peer is.
type clock struct{ peer *Peer }

// Now implements app.Clock.
func (c clock) Now() time.Time { return c.peer.clock.Now() }

// Stamp implements app.Clock.
func (c clock) Stamp() app.Stamp {
	id := ""
	if m := c.peer.membership(); m != nil {
		id = m.Self().ID
	}
	return c.peer.clock.Stamp(id)
}

// Data implements app.Peer.
func (h *host) Data() app.Data { return data{peer: h.peer, application: h.app.Name()} }

// Clock implements app.Peer.
func (h *host) Clock() app.Clock { return clock{peer: h.peer} }

// watch is one time that an application is told of changes of data, from a start to a stop.
type watch struct {
	app.Watcher
	begun bool // guarded by host.mu; what was there at the start has been told, or is being told
}

// watch tells a Watcher of all entries that are there, and from then on of those that others change.
func (h *host) watch(m *membership.Node) {
	watcher, ok := h.app.(app.Watcher)
	if !ok {
		return
	}
	w := &watch{Watcher: watcher}
	h.setWatcher(w)
	m.Replay(h.app.Name(), func(all []app.Entry) {
		h.begin(w)
		for _, e := range all {
			if h.watches(w) {
				h.contain("changed", func() { w.Changed(e) })
			}
		}
	})
}

func (h *host) setWatcher(w *watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watcher = w
}

// begin tells w of changes from now on.
func (h *host) begin(w *watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.begun = true
}

// watches reports whether w is still to be told.
func (h *host) watches(w *watch) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.watcher == w
}

// changed tells of an entry that another member wrote.
func (h *host) changed(e app.Entry) {
	h.mu.Lock()
	w := h.watcher
	told := w != nil && w.begun
	h.mu.Unlock()
	if told {
		h.contain("changed", func() { w.Changed(e) })
	}
}

// onData is told of each change of the data, this peer's own included, from the goroutine of onMember.
func (p *Peer) onData(self, application string, e app.Entry) {
	p.deps.Events.Emit(&eventv1.Event{What: &eventv1.Event_Data{Data: &eventv1.Data{
		App: application, Key: e.Key, Value: text(e.Value), Deleted: e.Deleted, By: p.writer(e.Stamp.Node),
	}}})
	if e.Stamp.Node == self {
		return
	}
	for _, h := range p.apps {
		if h.app.Name() == application {
			h.changed(e)
		}
	}
}

// text is a value as it may be shown and logged; what is not UTF-8 is replaced.
func text(value []byte) string { return strings.ToValidUTF8(string(value), "\uFFFD") }

// writer is the name of the member with that id, or the id if it is not known.
func (p *Peer) writer(id string) string {
	if n := p.membership(); n != nil {
		if m, ok := n.Member(id); ok {
			return m.Name
		}
	}
	return id
}
