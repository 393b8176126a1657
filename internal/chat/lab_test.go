package chat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"peerlab.example/peerlab/app"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// room is some peers with a chat, in one process: a stand-in for membership that tells everybody at
// once, and connections in memory that a test can cut.
type room struct {
	t     testing.TB
	peers []*fakePeer
}

// fakePeer is an app.Peer. What the chat does not use, the embedded one leaves out.
type fakePeer struct {
	app.Peer

	room     *room
	self     app.Member
	chat     *Chat
	server   *grpc.Server
	listener *bufconn.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	conns  map[string]*grpc.ClientConn
	wires  []net.Conn // open connections from here
	stall  chan struct{}
	away   bool        // nobody can connect to it
	dials  []time.Time // when it was asked for a connection
	shown  []string
	events []*eventv1.Event

	onMessage func(*eventv1.Message) // set by a benchmark, instead of keeping lines and events
}

func newRoom(t testing.TB, names ...string) *room {
	r := &room{t: t}
	for i, n := range names {
		p := &fakePeer{
			room: r, chat: New(), listener: bufconn.Listen(1 << 16), server: grpc.NewServer(), conns: map[string]*grpc.ClientConn{},
			self: app.Member{
				ID: fmt.Sprintf("id-%03d", i), Name: n, RPCAddr: n, State: app.Alive, Apps: []string{name}, Self: true,
				JoinedAt: time.Unix(int64(i), 0),
			},
		}
		p.chat.Register(p.server)
		p.serving.Go(func() { _ = p.server.Serve(p.listener) })
		r.peers = append(r.peers, p)
	}
	t.Cleanup(r.close)
	return r
}

// inRoom runs a test in virtual time.
func inRoom(t *testing.T, test func(t *testing.T, r *room, alice, bob *fakePeer)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, "alice", "bob")
		test(t, r, r.peers[0], r.peers[1])
	})
}

func (r *room) close() {
	for _, p := range r.peers {
		p.unstall()
		if err := p.chat.Stop(context.Background()); err != nil {
			r.t.Error(err)
		}
	}
	for _, p := range r.peers {
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.server.Stop()
		p.serving.Wait()
	}
}

// start starts all chats, one after another.
func (r *room) start() {
	r.t.Helper()
	for _, p := range r.peers {
		p.start()
	}
}

func (p *fakePeer) start() {
	p.room.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.chat.Start(ctx, p); err != nil {
		p.room.t.Fatal(err)
	}
}

// tell lets all but the subject observe a change.
func (r *room) tell(change app.Change, subject *fakePeer) {
	for _, p := range r.peers {
		if p != subject {
			m := subject.self
			m.Self = false
			p.chat.Observe(app.MemberEvent{Change: change, Member: m})
		}
	}
}

func (p *fakePeer) Self() app.Member { return p.self }

func (p *fakePeer) Members() []app.Member {
	var out []app.Member
	for _, o := range p.room.peers {
		m := o.self
		m.Self = o == p
		out = append(out, m)
	}
	return out
}

func (p *fakePeer) Dial(m app.Member) (grpc.ClientConnInterface, error) {
	i := slices.IndexFunc(p.room.peers, func(o *fakePeer) bool { return o.self.RPCAddr == m.RPCAddr })
	if i < 0 {
		return nil, errors.New("no such peer")
	}
	to := p.room.peers[i]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials = append(p.dials, time.Now())
	if c := p.conns[m.RPCAddr]; c != nil {
		return c, nil
	}
	c, err := grpc.NewClient("passthrough:///"+m.RPCAddr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, MaxDelay: 2 * time.Second}}),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			if to.isAway() {
				return nil, errors.New("no route")
			}
			w, err := to.listener.DialContext(ctx)
			if err != nil {
				return nil, err
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.wires = append(p.wires, w)
			return w, nil
		}))
	p.conns[m.RPCAddr] = c
	return c, err
}

// leaveNetwork cuts a peer off, and comeBack ends that.
func (p *fakePeer) leaveNetwork() {
	p.mu.Lock()
	p.away = true
	p.mu.Unlock()
	for _, o := range p.room.peers {
		o.cut()
	}
}

func (p *fakePeer) comeBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = false
}

func (p *fakePeer) isAway() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away
}

// cut breaks all connections that this peer has opened.
func (p *fakePeer) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.wires {
		_ = w.Close()
	}
	p.wires = nil
}

func (p *fakePeer) Broadcast([]byte) error { return errors.New("the chat does not broadcast") }

func (p *fakePeer) Emit(e *eventv1.Event) {
	if p.onMessage != nil {
		if m := e.GetMessage(); m != nil {
			p.onMessage(m)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
}

// Show blocks while the peer is stalled, as a peer whose disk or terminal stands still does.
func (p *fakePeer) Show(_, line string) {
	if p.onMessage != nil {
		return
	}
	p.mu.Lock()
	stall := p.stall
	p.mu.Unlock()
	if stall != nil {
		<-stall
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = append(p.shown, line)
}

func (p *fakePeer) Logger() zerolog.Logger { return zerolog.Nop() }

func (p *fakePeer) stallShow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall = make(chan struct{})
}

func (p *fakePeer) unstall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stall != nil {
		close(p.stall)
		p.stall = nil
	}
}

// lines are those shown that contain a text.
func (p *fakePeer) lines(part string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, l := range p.shown {
		if strings.Contains(l, part) {
			out = append(out, l)
		}
	}
	return out
}

// dropped counts the events of messages given up.
func (p *fakePeer) dropped() int { return len(p.reasons()) }

// reasons are those of messages given up.
func (p *fakePeer) reasons() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, e := range p.events {
		if e.GetDropped() != nil {
			out = append(out, e.GetDropped().GetReason())
		}
	}
	return out
}

// run runs a command with arguments and flags by name.
func (p *fakePeer) run(t *testing.T, command string, args map[string]string) (any, error) {
	t.Helper()
	return p.runIn(context.Background(), t, command, args)
}

func (p *fakePeer) runIn(ctx context.Context, t *testing.T, command string, args map[string]string) (any, error) {
	t.Helper()
	for _, s := range p.chat.Commands() {
		if s.Name != command {
			continue
		}
		values, set := map[string][]string{}, map[string]bool{}
		for _, f := range s.Flags {
			values[f.Name] = []string{f.Default}
		}
		for name, v := range args {
			values[name], set[name] = []string{v}, true
		}
		return s.Run(ctx, nil, app.NewArgs(values, set))
	}
	t.Fatalf("there is no command %q", command)
	return nil, nil
}

// say runs the command msg.
func (p *fakePeer) say(text string) error {
	r, err := p.chat.started()
	if err != nil {
		return err
	}
	_, err = r.send(text)
	return err
}

func (p *fakePeer) mustSay(text string) {
	p.room.t.Helper()
	if err := p.say(text); err != nil {
		p.room.t.Fatal(err)
	}
}

// eventually asks until it is so, for at most a minute: a bound for a machine that is busy.
func eventually(t testing.TB, ask func() error) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}

// hears waits until exactly these messages were shown, in this order.
func (p *fakePeer) hears(from string, want ...string) {
	p.room.t.Helper()
	for i := range want {
		want[i] = "<" + from + "> " + want[i]
	}
	eventually(p.room.t, func() error {
		got := p.lines("<" + from + ">")
		if len(got) < len(want) {
			return fmt.Errorf("%s heard %d messages of %s, want %d", p.self.Name, len(got), from, len(want))
		}
		return nil
	})
	if got := p.lines("<" + from + ">"); !slices.Equal(got, want) {
		p.room.t.Errorf("%s heard %.200q, want %.200q", p.self.Name, got, want)
	}
}

// drained waits until nobody has a message queued: each was acknowledged.
func (r *room) drained() {
	r.t.Helper()
	eventually(r.t, func() error {
		for _, p := range r.peers {
			for _, s := range p.chat.running().all() {
				s.mu.Lock()
				n := len(s.queue)
				s.mu.Unlock()
				if n > 0 {
					return fmt.Errorf("%s waits for %d acknowledgements of %s", p.self.Name, n, s.id)
				}
			}
		}
		return nil
	})
}

// linked reports whether there is a link.
func (s *session) linked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link != nil
}
