package console

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLog is a LogControl that remembers.
type testLog struct {
	mu    sync.Mutex
	level string
	file  string
	own   map[string]string
}

func (l *testLog) Components() []string { return []string{"membership", "peer"} }
func (l *testLog) ComponentLevels() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.own)
}

func (l *testLog) SetComponentLevel(component, level string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.own = map[string]string{component: level}
	return nil
}

func (l *testLog) Level() string { l.mu.Lock(); defer l.mu.Unlock(); return l.level }
func (l *testLog) SetLevel(s string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.level = s
	return nil
}
func (l *testLog) ToFile(p string) error { l.mu.Lock(); defer l.mu.Unlock(); l.file = p; return nil }
func (l *testLog) Tail(n int, component string) []string {
	if component != "" {
		return []string{component}
	}
	return []string{"first", "second\x1b[31m", "third"}[max(0, 3-n):]
}

// newTestBackend is a console over a table of a few commands and all builtins.
func newTestBackend(t *testing.T) (*Session, *command.Executor, *testLog) {
	t.Helper()
	log := &testLog{level: "info"}
	b := NewBuiltins(log)
	table, err := command.New(append(testSpecs(), b.Specs()...)...)
	if err != nil {
		t.Fatal(err)
	}
	exec := &command.Executor{Table: table}
	b.Bind(table)
	return newTestSession(t, NewLocal(exec, testLive())), exec, log
}

// newTestSession is a console over an engine. Its notes are not looked at.
func newTestSession(t *testing.T, e Engine) *Session {
	t.Helper()
	s := NewSession(SessionConfig{Engine: e, Output: NewOutput(io.Discard, io.Discard)})
	t.Cleanup(s.Close)
	return s
}

func testLive() command.Live {
	return command.Live{Members: func() []app.Member {
		return []app.Member{{Name: "alice", State: app.Alive}, {Name: "bob", State: app.Suspect}, {Name: "two words", State: app.Left}}
	}}
}

func testSpecs() []app.Spec {
	return []app.Spec{
		{
			Name: "member info", Summary: "tell about a member", Example: "member info bob",
			Params: []app.Param{{Name: "name", Kind: app.MemberName}},
			Flags:  []app.Flag{{Name: "format", Kind: app.Enum, Values: []string{"long", "short"}, Summary: "how much"}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				return app.Record{{Name: "name", Value: args.String("name")}}, nil
			},
		},
		{
			Name: "member list", Summary: "list the members", Example: "member list",
			Run: func(context.Context, *app.Env, app.Args) (any, error) {
				return app.Table{Columns: []string{"name"}, Rows: [][]any{{"alice"}, {"bob"}}}, nil
			},
		},
		{
			Name: "fail", Summary: "fail", Example: "fail",
			Run: func(context.Context, *app.Env, app.Args) (any, error) { return nil, errTest },
		},
		{
			Name: "crash", Summary: "panic", Example: "crash",
			Run: func(context.Context, *app.Env, app.Args) (any, error) { panic("crashed") },
		},
		{
			Name: "wait", Summary: "wait for the end of the context", Example: "wait",
			Run: func(ctx context.Context, env *app.Env, _ app.Args) (any, error) {
				_, _ = fmt.Fprintln(env.Out, "waiting")
				<-ctx.Done()
				return nil, context.Cause(ctx)
			},
		},
		{
			Name: "part", Summary: "print without a line end", Example: "part",
			Run: func(_ context.Context, env *app.Env, _ app.Args) (any, error) {
				_, _ = fmt.Fprint(env.Out, "part of a line")
				return nil, nil
			},
		},
		{
			Name: "flood", Summary: "print lines of 100 bytes", Example: "flood 10",
			Params: []app.Param{{Name: "lines", Kind: app.Int}},
			Run: func(_ context.Context, env *app.Env, args app.Args) (any, error) {
				for range args.Int("lines") {
					if _, err := fmt.Fprintln(env.Out, strings.Repeat("é", 49)+"x"); err != nil {
						return nil, err
					}
				}
				return nil, nil
			},
		},
		{
			Name: "trap", Summary: "panic in completion", Example: "trap x",
			Params: []app.Param{{Name: "x", Kind: app.Text, Complete: func() []app.Suggestion { panic("trapped") }}},
			Run:    func(context.Context, *app.Env, app.Args) (any, error) { return nil, nil },
		},
		{
			Name: "huge", Summary: "return much", Example: "huge",
			Run: func(context.Context, *app.Env, app.Args) (any, error) { return strings.Repeat("x", 2<<20), nil },
		},
	}
}

type testError string

func (e testError) Error() string { return string(e) }

const errTest = testError("it failed")
