package testcoord

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

var update = flag.Bool("update", false, "write the golden files of testdata")

func TestMain(m *testing.M) {
	if os.Getenv(peerMode) != "" {
		os.Exit(minimalPeer())
	}
	goleak.VerifyTestMain(m)
}

// fakeGroup is the group that fake peers are members of: what one does, all others see at once.
type fakeGroup struct {
	mu    sync.Mutex
	peers map[string]*fakePeer // those that have joined
}

type fakePeer struct {
	name  string
	group *fakeGroup
	log   *event.Log
}

func (g *fakeGroup) join(p *fakePeer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.peers[p.name] = p
	for _, other := range g.peers {
		p.log.Emit(joined(other.name))
		if other != p {
			other.log.Emit(joined(p.name))
		}
	}
}

// leave takes a peer out; the others are told with an event.
func (g *fakeGroup) leave(p *fakePeer, tell func(name string) *eventv1.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.peers[p.name] != p {
		return
	}
	delete(g.peers, p.name)
	for _, other := range g.peers {
		other.log.Emit(tell(p.name))
	}
}

func (g *fakeGroup) message(from *fakePeer, text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, other := range g.peers {
		if other != from {
			other.log.Emit(&eventv1.Event{What: &eventv1.Event_Message{Message: &eventv1.Message{App: "chat", From: from.name, Text: text}}})
			other.log.Emit(shown("messages", fmt.Sprintf("<%s> %s", from.name, text)))
		}
	}
}

func joined(name string) *eventv1.Event {
	return &eventv1.Event{What: &eventv1.Event_Joined{Joined: &eventv1.Member{Peer: name}}}
}

func left(name string) *eventv1.Event {
	return &eventv1.Event{What: &eventv1.Event_Left{Left: &eventv1.Member{Peer: name}}}
}

func lost(name string) *eventv1.Event {
	return &eventv1.Event{What: &eventv1.Event_Lost{Lost: &eventv1.Member{Peer: name}}}
}

func shown(view, text string) *eventv1.Event {
	return &eventv1.Event{What: &eventv1.Event_Shown{Shown: &eventv1.Shown{View: view, Text: text}}}
}

// fakeMetrics are the numbers of a fake peer.
var fakeMetrics = []app.Metric{
	{Name: "heard_total", Labels: []string{"from"}, Help: "messages"},
	{Name: "members", Labels: []string{"state"}, Help: "the group"},
	{Name: "age_seconds", Help: "how old it is"},
	{Name: "temperature", Help: "which nobody has measured"},
	{Name: "broken", Help: "whose answer is none"},
}

// metrics are counted from the log of the peer, and from the group.
func (p *fakePeer) metrics(name string) (any, error) {
	t := app.Table{Columns: []string{"name", "labels", "value"}}
	switch name {
	case "heard_total":
		heard := map[string]int{}
		for r := p.log.Read(0); ; {
			e, _ := r.Try()
			if e == nil {
				break
			}
			if m := e.GetMessage(); m != nil {
				heard[m.GetFrom()]++
			}
		}
		for _, from := range slices.Sorted(maps.Keys(heard)) {
			t.Add(name, fakeLabels{"from": from}, heard[from])
		}
	case "members":
		p.group.mu.Lock()
		defer p.group.mu.Unlock()
		t.Add(name, fakeLabels{"state": "alive"}, len(p.group.peers))
		t.Add(name, fakeLabels{"state": "lost"}, 0)
	case "age_seconds":
		t.Add(name, fakeLabels{}, 1.5)
	case "broken":
		return nil, errFake
	}
	return t, nil
}

// fakeLabels are the labels of a number.
type fakeLabels map[string]string

var errFake = errors.New("this command always fails")

// fakeTable is the table of a fake peer. With nil it is only good for Parse.
func fakeTable(p *fakePeer) *command.Table {
	text := []app.Param{{Name: "text", Kind: app.Text, Repeated: true}}
	spec := func(name string, params []app.Param, run func(context.Context, *app.Env, app.Args) (any, error)) app.Spec {
		return app.Spec{Name: name, Summary: "for tests", Example: name, Params: params, Run: run}
	}
	nothing := func(context.Context, *app.Env, app.Args) (any, error) { return nil, nil }
	specs := []app.Spec{
		spec("init", nil, func(context.Context, *app.Env, app.Args) (any, error) { p.group.join(p); return nil, nil }),
		spec("noop", nil, nothing),
		spec("fault", text, func(_ context.Context, _ *app.Env, a app.Args) (any, error) {
			p.log.Emit(shown("faults", strings.Join(a.All("text"), " ")))
			return nil, nil
		}),
		spec("accuse", text, func(_ context.Context, _ *app.Env, a app.Args) (any, error) {
			p.log.Emit(lost(a.All("text")[0]))
			return nil, nil
		}),
		spec("msg", text, func(_ context.Context, _ *app.Env, a app.Args) (any, error) {
			p.group.message(p, strings.Join(a.All("text"), " "))
			return nil, nil
		}),
		spec("echo", text, func(_ context.Context, env *app.Env, a app.Args) (any, error) {
			_, _ = fmt.Fprintln(env.Out, strings.Join(a.All("text"), " "))
			return nil, nil
		}),
		spec("bootstrap list", nil, nothing), spec("broadcast add", text, nothing), spec("broadcast del", text, nothing), spec("broadcast list", nil, nothing),
		spec("member leave", nil, nothing),
		spec("member count", nil, func(context.Context, *app.Env, app.Args) (any, error) { return 3, nil }),
		spec("member list", nil, func(context.Context, *app.Env, app.Args) (any, error) {
			t := &app.Table{Columns: []string{"name", "state"}}
			t.Add("alice", "alive")
			t.Add("bob", "lost")
			return t, nil
		}),
		spec("member info", []app.Param{{Name: "name", Kind: app.MemberName}}, func(context.Context, *app.Env, app.Args) (any, error) {
			return nil, errFake
		}),
		spec("sleep", []app.Param{{Name: "time", Kind: app.Duration}}, func(ctx context.Context, _ *app.Env, a app.Args) (any, error) {
			select {
			case <-time.After(a.Duration("time")):
				return nil, nil
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}),
		spec("shout", text, func(_ context.Context, _ *app.Env, a app.Args) (any, error) { // shows a line here, after a while
			text := strings.Join(a.All("text"), " ")
			time.AfterFunc(50*time.Millisecond, func() { p.log.Emit(shown("messages", text)) })
			return nil, nil
		}),
		spec("fail", nil, func(_ context.Context, env *app.Env, _ app.Args) (any, error) {
			_, _ = fmt.Fprintln(env.Out, "tried\x1b[31m hard")
			return nil, errFake
		}),
		spec("crash", nil, func(context.Context, *app.Env, app.Args) (any, error) { os.Exit(7); return nil, nil }),
		spec("panic", nil, func(context.Context, *app.Env, app.Args) (any, error) {
			debug.SetTraceback("all") // more than is shown
			go panic("boom")
			return nil, nil
		}),
		spec("quit", nil, func(context.Context, *app.Env, app.Args) (any, error) { return nil, command.ErrQuit }),
	}
	local := spec("log file", nil, func(context.Context, *app.Env, app.Args) (any, error) { return nil, nil })
	local.Local = true
	specs = append(specs, spec("metrics", []app.Param{{Name: "name", Kind: app.Word}}, func(_ context.Context, _ *app.Env, a app.Args) (any, error) {
		return p.metrics(a.String("name"))
	}))
	t, err := command.New(append(specs, local)...)
	if err != nil {
		panic(err)
	}
	t.Metrics = fakeMetrics
	return t
}

// fakeRunner starts fake peers in this process, which attach over an in-memory connection.
type fakeRunner struct {
	group  *fakeGroup
	client testcoordv1.CoordinatorServiceClient
	// mute are peers that start and never attach.
	mute map[string]bool
	// keep is how many events the log of a peer keeps; 0 is enough.
	keep int

	mu    sync.Mutex
	lives map[string]*fakeLife // guarded by mu
	count int                  // guarded by mu; how many were started
}

// fakeLife is a started fake peer.
type fakeLife struct {
	*fakePeer
	die    context.CancelFunc
	done   chan struct{}
	status string
}

func (r *fakeRunner) Start(_ context.Context, name string) (Process, error) {
	ctx, die := context.WithCancel(context.Background())
	l := &fakeLife{fakePeer: &fakePeer{name: name, group: r.group, log: event.New(name, cmp.Or(r.keep, 10000))}, die: die, done: make(chan struct{})}
	r.mu.Lock()
	r.lives[name] = l
	r.count++
	r.mu.Unlock()
	go func() {
		defer close(l.done)
		if r.mute[name] {
			<-ctx.Done()
			return
		}
		x := &command.Executor{Table: fakeTable(l.fakePeer)}
		_, err := Attach(ctx, r.client, &testcoordv1.Hello{Name: name}, x, l.log)
		if err != nil {
			l.status = "signal: killed"
			r.group.leave(l.fakePeer, lost)
			return
		}
		r.group.leave(l.fakePeer, left)
	}()
	return l, nil
}

func (l *fakeLife) Done() <-chan struct{} { return l.done }
func (l *fakeLife) Status() string        { return l.status }
func (l *fakeLife) Terminate()            { l.die() }
func (l *fakeLife) Kill()                 { l.die() }
func (*fakeLife) Freeze() error           { return nil }
func (*fakeLife) Thaw() error             { return nil }
func (l *fakeLife) Tail(int) []string     { return []string{l.name + " says its last words"} }

// get returns the current life of a peer; nil before its start.
func (r *fakeRunner) get(name string) *fakeLife {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lives[name]
}

// lab is a coordinator with fake peers, for one run.
type lab struct {
	c      *Coordinator
	runner *fakeRunner
	out    bytes.Buffer
}

// newLab serves a coordinator of the suite until the test ends. It may be used in a synctest bubble.
func newLab(t testing.TB, src string, opt Options) *lab {
	t.Helper()
	suite, err := Parse("test.lab", []byte(src), fakeTable(nil))
	if err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	conn, err := grpc.NewClient("passthrough:///lab", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{runner: &fakeRunner{
		group:  &fakeGroup{peers: map[string]*fakePeer{}},
		client: testcoordv1.NewCoordinatorServiceClient(conn),
		lives:  map[string]*fakeLife{},
	}}
	opt.Out, opt.Runner = &l.out, l.runner
	l.c = New(suite, opt)
	server := grpc.NewServer()
	testcoordv1.RegisterCoordinatorServiceServer(server, l.c)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // stopped before it served
			t.Error(err)
		}
	})
	return l
}
