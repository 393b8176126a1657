package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// LogControl changes where the log goes while the peer runs.
type LogControl interface {
	Level() string
	SetLevel(level string) error
	// ToFile appends the log to a file too; an empty path ends that.
	ToFile(path string) error
	// Tail are the last n lines.
	Tail(n int) []string
}

// maxDepth is how deep scripts may execute scripts.
const maxDepth = 8

// Builtins are the commands of the console itself.
type Builtins struct {
	logs    LogControl
	backend Backend
	table   *command.Table
	history *History
}

// NewBuiltins makes the commands of a console. logs may be nil where they are only listed.
func NewBuiltins(logs LogControl) *Builtins { return &Builtins{logs: logs, history: NewHistory("")} }

// Bind tells the commands of the table that they are part of, and of the backend that runs its lines. It must come
// before any of them runs.
func (b *Builtins) Bind(backend Backend, table *command.Table) { b.backend, b.table = backend, table }

// Remember tells the command history what to show.
func (b *Builtins) Remember(h *History) { b.history = h }

// Specs are the commands.
func (b *Builtins) Specs() []app.Spec { return append(b.general(), b.logging()...) }

func (b *Builtins) general() []app.Spec {
	const group = "console"
	return []app.Spec{
		{
			Name: "help", Group: group,
			Summary: "list the commands, or explain one or a group of them",
			Example: "help member list",
			Params:  []app.Param{{Name: "about", Kind: app.CommandName, Optional: true, Repeated: true}},
			Run:     b.help,
		},
		{
			Name: "echo", Group: group,
			Summary: "print the words",
			Example: "echo hello",
			Params:  []app.Param{{Name: "text", Kind: app.Text, Optional: true, Repeated: true}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				return strings.Join(args.All("text"), " "), nil
			},
		},
		{
			Name: "sleep", Group: group,
			Summary: "wait; a bare number is seconds",
			Example: "sleep 500ms",
			Params:  []app.Param{{Name: "time", Kind: app.Duration}},
			Run: func(ctx context.Context, _ *app.Env, args app.Args) (any, error) {
				return nil, pause(ctx, args.Duration("time"))
			},
		},
		{
			Name: "execute", Group: group, Local: true,
			Summary: "run the commands in a file, one a line, until one fails",
			Detail:  "A # at the start of a word begins a comment. quit ends the script and the peer.",
			Example: "execute examples/chat.txt",
			Params:  []app.Param{{Name: "file", Kind: app.File}},
			Run:     b.execute,
		},
		{
			Name: "history", Group: group, Local: true,
			Summary: "list the lines typed before, or those that contain a text; !N, !TEXT and !! run one again",
			Example: "history member",
			Params:  []app.Param{{Name: "text", Kind: app.Text, Optional: true}},
			Run:     b.listHistory,
		},
		{
			Name: "quit", Group: group, Aliases: []string{"exit"},
			Summary: "leave the group and end the peer; in a remote console, end the console",
			Example: "quit",
			Run:     func(context.Context, *app.Env, app.Args) (any, error) { return nil, command.ErrQuit },
		},
	}
}

func (b *Builtins) help(_ context.Context, _ *app.Env, args app.Args) (any, error) {
	about := strings.Join(args.All("about"), " ")
	if about == "" {
		return b.table.Overview("") + "\nhelp NAME explains a command; Tab completes.", nil
	}
	if s := b.table.Lookup(about); s != nil {
		return command.Describe(s), nil
	}
	if text := b.table.Overview(about); text != "" {
		return text, nil
	}
	var names []string
	for _, s := range b.table.Specs() {
		names = append(names, s.Name)
	}
	if near := command.Nearest(about, append(names, b.table.Groups()...)); near != "" {
		return nil, fmt.Errorf("no command or group is called %q; did you mean %q?", about, near)
	}
	return nil, fmt.Errorf("no command or group is called %q", about)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

type depthKey struct{}

func (b *Builtins) execute(ctx context.Context, env *app.Env, args app.Args) (any, error) {
	depth, _ := ctx.Value(depthKey{}).(int)
	if depth == maxDepth {
		return nil, fmt.Errorf("scripts execute scripts more than %d deep", maxDepth)
	}
	path := args.String("file")
	f, err := os.Open(path) //nolint:gosec // the user's own choice, at the peer's own console
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	quit := &quitNoticer{Backend: b.backend}
	err = RunScript(context.WithValue(ctx, depthKey{}, depth+1), quit, path, f, env.Out)
	if err == nil && quit.seen {
		return nil, command.ErrQuit
	}
	return nil, err
}

func (b *Builtins) listHistory(_ context.Context, _ *app.Env, args app.Args) (any, error) {
	t := app.Table{Columns: []string{"number", "line"}}
	for i, line := range b.history.Lines() {
		if strings.Contains(line, args.String("text")) {
			t.Add(i+1, line)
		}
	}
	return t, nil
}

func (b *Builtins) logging() []app.Spec {
	const group = "log"
	levels := []string{"trace", "debug", "info", "warn", "error", "disabled"}
	return []app.Spec{
		{
			Name: "log", Group: group,
			Summary: "say which level of the log is written",
			Example: "log",
			Run: func(context.Context, *app.Env, app.Args) (any, error) {
				return app.Record{{Name: "level", Value: b.logs.Level()}}, nil
			},
		},
		{
			Name: "log level", Group: group,
			Summary: "change the lowest level that is written",
			Example: "log level debug",
			Params:  []app.Param{{Name: "level", Kind: app.Enum, Values: levels}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				return nil, b.logs.SetLevel(args.String("level"))
			},
		},
		{
			Name: "log on", Group: group, Local: true,
			Summary: "append the log to a file too",
			Example: "log on peer.log",
			Params:  []app.Param{{Name: "file", Kind: app.File}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				return nil, b.logs.ToFile(args.String("file"))
			},
		},
		{
			Name: "log off", Group: group, Local: true,
			Summary: "end the log in a file",
			Example: "log off",
			Run: func(context.Context, *app.Env, app.Args) (any, error) {
				return nil, b.logs.ToFile("")
			},
		},
		{
			Name: "log tail", Group: group,
			Summary: "show the last lines of the log, 20 unless told",
			Example: "log tail 50",
			Params:  []app.Param{{Name: "lines", Kind: app.Int, Optional: true}},
			Run: func(_ context.Context, env *app.Env, args app.Args) (any, error) {
				n := 20
				if args.Has("lines") {
					n = args.Int("lines")
				}
				var errs []error
				for _, line := range b.logs.Tail(n) {
					_, err := fmt.Fprintln(env.Out, command.Clean(line))
					errs = append(errs, err)
				}
				return nil, errors.Join(errs...)
			},
		},
	}
}

// quitNoticer notes that a line of a script was quit.
type quitNoticer struct {
	Backend
	seen bool
}

func (q *quitNoticer) Execute(ctx context.Context, line string, out io.Writer) command.Outcome {
	o := q.Backend.Execute(ctx, line, out)
	q.seen = q.seen || o.Quit
	return o
}
