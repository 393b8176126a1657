package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// Builtins are the commands of the console itself. Help needs the table that they stand in, which Bind gives them.
type Builtins struct {
	// AllowShell lets callers elsewhere use the command shell.
	AllowShell bool
	// NoShell, if not empty, says why there is no shell where the peer runs.
	NoShell string

	log   LogControl
	table *command.Table
}

// NewBuiltins makes the commands. log may be nil; then the log commands say that there is none.
func NewBuiltins(log LogControl) *Builtins { return &Builtins{log: log} }

// Bind gives the commands the table for help. It must be called before the first of them runs.
func (b *Builtins) Bind(table *command.Table) { b.table = table }

// Specs are all commands of the console.
func (b *Builtins) Specs() []app.Spec {
	specs := []app.Spec{b.help(), b.groups()}
	specs = append(specs, session()...)
	specs = append(specs, echo(), sleep(), b.shell())
	return append(specs, b.logSpecs()...)
}

// session are the commands that belong to the one who types, wherever the peer runs.
func session() []app.Spec {
	specs := []app.Spec{quit(), history()}
	specs = append(specs, settings()...)
	specs = append(specs, repeated()...)
	return append(specs, execute(), play())
}

func (b *Builtins) help() app.Spec {
	return app.Spec{
		Name: "help", Group: "cli",
		Summary: "list the commands, or tell more about one of them or a group",
		Example: "help member list",
		Params: []app.Param{{
			Name: "command", Kind: app.CommandName, Optional: true, Repeated: true,
			Complete: func() []app.Suggestion { return suggestions(b.table.Groups()) },
		}},
		Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
			return b.helpText(strings.Join(args.All("command"), " "))
		},
	}
}

func (b *Builtins) groups() app.Spec {
	return app.Spec{
		Name: "groups", Group: "cli", Summary: "list the groups of commands", Example: "groups",
		Run: func(context.Context, *app.Env, app.Args) (any, error) {
			t := app.Table{Columns: []string{"group", "commands"}}
			for _, g := range b.table.Groups() {
				var names []string
				for _, s := range b.table.InGroup(g) {
					names = append(names, strings.TrimPrefix(s.Name, g+" "))
				}
				t.Add(g, strings.Join(names, ", "))
			}
			return t, nil
		},
	}
}

func (b *Builtins) helpText(name string) (string, error) {
	if name == "" {
		return b.table.Overview("") + "\nhelp COMMAND tells more. Tab completes.\n", nil
	}
	name = strings.TrimPrefix(name, "/")
	spec := b.table.Lookup(name)
	text := ""
	if spec != nil {
		text = command.Describe(spec)
	}
	// A group of one command of the same name would say the same twice.
	if slices.Contains(b.table.Groups(), name) && (spec == nil || len(b.table.InGroup(name)) > 1) {
		if text != "" {
			text += "\n"
		}
		text += b.table.Overview(name)
	}
	if text != "" {
		return text, nil
	}
	known := b.table.Groups()
	for _, s := range b.table.Specs() {
		known = append(append(known, s.Name), s.Aliases...)
	}
	if near := command.Nearest(name, known); near != "" {
		return "", fmt.Errorf("there is no command or group %q; did you mean %q?", name, near)
	}
	return "", fmt.Errorf("there is no command or group %q; help lists them", name)
}

func quit() app.Spec {
	return app.Spec{
		Name: "quit", Aliases: []string{"exit"}, Group: "development",
		Summary: "leave the group and end the peer; at a console elsewhere, end only the console",
		Example: "quit",
		Run: func(context.Context, *app.Env, app.Args) (any, error) {
			return nil, command.ErrQuit
		},
	}
}

func echo() app.Spec {
	return app.Spec{
		Name: "echo", Group: "script",
		Summary: "print the words",
		Example: "echo the left side is ready",
		Params:  []app.Param{{Name: "text", Kind: app.Text, Optional: true, Repeated: true}},
		Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
			return strings.Join(args.All("text"), " "), nil
		},
	}
}

func sleep() app.Spec {
	return app.Spec{
		Name: "sleep", Group: "script",
		Summary: "wait",
		Example: "sleep 1.5s",
		Params:  []app.Param{{Name: "duration", Kind: app.Duration}},
		Run: func(ctx context.Context, _ *app.Env, args app.Args) (any, error) {
			return nil, wait(ctx, args.Duration("duration"))
		},
	}
}

func history() app.Spec {
	return app.Spec{
		Name: "history", Group: "cli", Local: true,
		Summary: "list the lines typed before; !NUMBER or !START runs one again",
		Example: "history member",
		Params:  []app.Param{{Name: "text", Kind: app.Text, Optional: true, Repeated: true}},
		Run: func(ctx context.Context, _ *app.Env, args app.Args) (any, error) {
			h := historyOf(ctx)
			if h == nil {
				return nil, errors.New("there is no history without a prompt")
			}
			t := app.Table{Columns: []string{"number", "line"}}
			for _, e := range h.Find(strings.Join(args.All("text"), " ")) {
				t.Add(e.N, e.Line)
			}
			return t, nil
		},
	}
}

// parseNumber reads the number of !NUMBER.
func parseNumber(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0
}
