package peer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// host runs one application, and is the app.Peer that it sees.
type host struct {
	peer *Peer
	app  app.App

	mu      sync.Mutex
	running bool     // guarded by mu
	watcher *watch   // guarded by mu; nil when the application is not told of changes of data
	box     *mailbox // guarded by mu; that of the last start; nil before, and if the application does not receive

	out outboxes
	in  senders
}

var _ app.Peer = (*host)(nil)

// start announces the application and starts it. Starting twice is no error.
func (h *host) start(ctx context.Context) error {
	m := h.peer.membership()
	if m == nil || !h.peer.isJoined() {
		return fmt.Errorf("%s start: this peer is in no group yet; first: member join (or init)", h.app.Name())
	}
	if h.isRunning() {
		return nil
	}
	box, err := h.open(m.Self().ID)
	if err != nil {
		return fmt.Errorf("%s start: %w", h.app.Name(), err)
	}
	h.setRunning(true)
	err = h.peer.announce(ctx)
	if err == nil {
		err = h.app.Start(ctx, h)
	}
	if err != nil {
		h.setRunning(false)
		box.close()
		return errors.Join(fmt.Errorf("%s start: %w", h.app.Name(), err), h.peer.announce(ctx))
	}
	box.start()
	h.watch(m)
	return nil
}

// halt stops the application and withdraws the announcement. Stopping twice is no error.
func (h *host) halt(ctx context.Context) error {
	if !h.isRunning() {
		return nil
	}
	h.setWatcher(nil)
	box := h.mailbox()
	box.close()
	box.wait(ctx)
	err := h.app.Stop(ctx)
	h.setRunning(false)
	if !box.wait(ctx) {
		h.peer.log.Error().Str("app", h.app.Name()).Msg("receive has not returned; the application cannot be started again before it does")
	}
	if err != nil {
		err = fmt.Errorf("%s stop: %w", h.app.Name(), err)
	}
	return errors.Join(err, h.peer.announce(ctx))
}

func (h *host) setRunning(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = on
}

func (h *host) isRunning() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running
}

func (h *host) observe(e app.MemberEvent) {
	if o, ok := h.app.(app.Observer); ok && h.isRunning() {
		h.contain("observe", func() { o.Observe(e) })
	}
}

// open makes the mailbox of a start, for the member that this peer is.
func (h *host) open(id string) (*mailbox, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.box.hasEnded() {
		return nil, errors.New("a Receive of the last start has not returned")
	}
	h.in.begin(id)
	h.box = newMailbox(h.app, h.peer.log.With().Str("app", h.app.Name()).Logger())
	return h.box, nil
}

// mailbox is that of the last start.
func (h *host) mailbox() *mailbox {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.box
}

// receive takes a broadcast for the application. One for which there is no room is dropped, and told of.
func (h *host) receive(from app.Member, payload []byte) {
	if _, err := h.mailbox().put(from, payload); errors.Is(err, errFull) {
		h.Emit(&eventv1.Event{What: &eventv1.Event_Dropped{Dropped: &eventv1.Message{
			App: h.app.Name(), From: from.Name, To: h.peer.cfg.Name, Reason: err.Error(),
		}}})
	}
}

// contain calls the application from membership's goroutine. A panic of it must not end the peer.
func (h *host) contain(what string, call func()) {
	defer func() {
		if v := recover(); v != nil {
			log := h.Logger()
			log.Error().Interface("panic", v).Bytes("stack", debug.Stack()).Msg(what + " panicked")
		}
	}()
	call()
}

// Self implements app.Peer.
func (h *host) Self() app.Member {
	for _, m := range h.peer.Members() {
		if m.Self {
			m.Apps = slices.Clone(m.Apps)
			return m
		}
	}
	return app.Member{Name: h.peer.cfg.Name, Self: true}
}

// Members implements app.Peer. An application may do with it what it likes.
func (h *host) Members() []app.Member {
	members := slices.Clone(h.peer.Members())
	for i := range members {
		members[i].Apps = slices.Clone(members[i].Apps)
	}
	return members
}

// Dial implements app.Peer.
func (h *host) Dial(m app.Member) (grpc.ClientConnInterface, error) {
	if m.RPCAddr == "" {
		return nil, fmt.Errorf("%s has not announced an address for gRPC", m.Name)
	}
	return h.peer.conns.dial(m.RPCAddr)
}

// Broadcast implements app.Peer.
func (h *host) Broadcast(payload []byte) error {
	m := h.peer.membership()
	if m == nil {
		return app.ErrNotStarted
	}
	return m.Broadcast(h.app.Name(), payload)
}

// Emit implements app.Peer.
func (h *host) Emit(e *eventv1.Event) { h.peer.deps.Events.Emit(e) }

// Show implements app.Peer. The event comes before the line, so that who sees the line finds the event.
func (h *host) Show(view, line string) {
	line = command.Clean(line)
	h.Emit(&eventv1.Event{What: &eventv1.Event_Shown{Shown: &eventv1.Shown{View: view, Text: line}}})
	h.peer.deps.Print(line)
}

// Logger implements app.Peer.
func (h *host) Logger() zerolog.Logger {
	return h.peer.deps.Log.With().Str("component", h.app.Name()).Str("node", h.peer.cfg.Name).Logger()
}

// running counts the live members that have announced the application, this one included.
func (p *Peer) running(application string) int {
	n := 0
	for _, m := range p.Members() {
		if m.Live() && m.Runs(application) {
			n++
		}
	}
	return n
}
