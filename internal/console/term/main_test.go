//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/console"
)

// helperEnv makes the test binary a program with a prompt.
const helperEnv = "PEERLAB_TERM_TEST_HELPER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(helperEnv); mode != "" {
		os.Exit(helper(mode))
	}
	goleak.VerifyTestMain(m)
}

// helper is a console with a small table. It prints "ended: ERROR" when the prompt has returned.
func helper(mode string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	output := console.NewOutput(os.Stdout, os.Stderr)
	h := &helperPeer{output: output, members: []string{"alice", "albert", "bob", "carol"}}
	builtins := console.NewBuiltins(nil)
	table, err := command.New(append(h.specs(), builtins.Specs()...)...)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	builtins.Bind(table)
	backend := console.NewSession(console.SessionConfig{
		Engine: console.NewLocal(&command.Executor{Table: table}, command.Live{Members: h.list}),
		Output: output, Interactive: Available(),
	})
	defer backend.Close()
	if !Available() {
		err := backend.RunScript(ctx, "stdin", os.Stdin, output.Command())
		fmt.Printf("ended: %v\n", err)
		return 0
	}
	if mode == "hangup" {
		signal.Ignore(syscall.SIGHUP)
	}
	if mode == "chat" {
		go h.chat(ctx)
	}
	err = Run(ctx, Config{
		Backend: backend, Output: output, Prefix: h.prefix, Alarm: h.alarm.Load, Color: os.Getenv("NO_COLOR") == "",
		History: console.NewHistory(os.Getenv("HELPER_HISTORY")),
	})
	if errors.Is(err, context.Canceled) {
		return 143
	}
	fmt.Printf("ended: %v\n", err)
	return 0
}

// helperPeer stands for a peer.
type helperPeer struct {
	output  *console.Output
	members []string
	asked   atomic.Int64 // how often the members were asked for since "shrink"
	shrink  atomic.Bool
	panic   atomic.Bool
	alarm   atomic.Bool
	alive   atomic.Int64
}

func (h *helperPeer) prefix() string {
	if h.panic.Load() {
		panic("the prefix panics")
	}
	return fmt.Sprintf("me (%d alive)> ", h.alive.Load())
}

// list gives fewer members after "shrink" each time.
func (h *helperPeer) list() []app.Member {
	n := len(h.members)
	if h.shrink.Load() {
		n = max(1, n-int(h.asked.Add(1)))
	}
	var out []app.Member
	for _, name := range h.members[:n] {
		out = append(out, app.Member{Name: name, State: app.Alive})
	}
	return out
}

func (h *helperPeer) chat(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 1; i <= 400; i++ {
		select {
		case <-tick.C:
			h.output.Println(fmt.Sprintf("[chat] line %03d of 400 \x1b[31mred\a", i))
		case <-ctx.Done():
			return
		}
	}
	h.alive.Store(400)
}

func (h *helperPeer) specs() []app.Spec {
	do := func(f func(ctx context.Context, env *app.Env, args app.Args)) func(context.Context, *app.Env, app.Args) (any, error) {
		return func(ctx context.Context, env *app.Env, args app.Args) (any, error) {
			f(ctx, env, args)
			return nil, ctx.Err()
		}
	}
	member := []app.Param{{Name: "name", Kind: app.MemberName}}
	return []app.Spec{
		{Name: "member info", Summary: "tell about a member", Example: "member info bob", Params: member,
			Run: do(func(_ context.Context, env *app.Env, args app.Args) {
				_, _ = fmt.Fprintln(env.Out, "info", args.String("name"))
			})},
		{Name: "say", Summary: "print a text", Example: "say hi", Params: []app.Param{{Name: "text", Kind: app.Text, Repeated: true}},
			Run: do(func(_ context.Context, env *app.Env, args app.Args) {
				_, _ = fmt.Fprintf(env.Out, "said <%s>", strings.Join(args.All("text"), " "))
			})},
		{Name: "wait", Summary: "wait until Ctrl-C", Example: "wait",
			Run: do(func(ctx context.Context, env *app.Env, _ app.Args) {
				_, _ = fmt.Fprintln(env.Out, "waiting")
				<-ctx.Done()
			})},
		{Name: "alive", Summary: "change the prompt", Example: "alive 3", Params: []app.Param{{Name: "n", Kind: app.Int}},
			Run: do(func(_ context.Context, _ *app.Env, args app.Args) { h.alive.Store(int64(args.Int("n"))) })},
		{Name: "alarm", Summary: "make the prompt red", Example: "alarm",
			Run: do(func(context.Context, *app.Env, app.Args) { h.alarm.Store(true) })},
		{Name: "shrink", Summary: "lose members one by one", Example: "shrink",
			Run: do(func(context.Context, *app.Env, app.Args) { h.shrink.Store(true) })},
		{Name: "crash", Summary: "panic in this command", Example: "crash",
			Run: do(func(context.Context, *app.Env, app.Args) { panic("crashed") })},
		{Name: "die", Summary: "panic at the prompt", Example: "die",
			Run: do(func(context.Context, *app.Env, app.Args) { h.panic.Store(true) })},
		{Name: "later", Summary: "log a line soon, at the prompt", Example: "later",
			Run: do(func(context.Context, *app.Env, app.Args) {
				time.AfterFunc(100*time.Millisecond, func() {
					_, _ = fmt.Fprint(h.output.Log(), "\x1b[36mWRN\x1b[0m a log line \x1b[2Jof a peer\n")
				})
			})},
		{Name: "flood", Summary: "print many lines", Example: "flood",
			Run: do(func(_ context.Context, env *app.Env, _ app.Args) {
				for i := range 20000 {
					_, _ = fmt.Fprintln(env.Out, "flood", i)
				}
			})},
	}
}
