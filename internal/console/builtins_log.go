package console

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// LogControl is what the log commands change. Its methods may be called from any goroutine.
type LogControl interface {
	Level() string
	SetLevel(level string) error
	// Components are the parts of the peer that may have a level of their own.
	Components() []string
	// ComponentLevels are the levels of those that have one.
	ComponentLevels() map[string]string
	// SetComponentLevel gives a component a level; an empty one takes it away.
	SetComponentLevel(component, level string) error
	// ToFile adds a file to the places where the log goes; an empty path ends that.
	ToFile(path string) error
	// Tail returns the last n lines, or as many as there are; those of one component, if one is named.
	Tail(n int, component string) []string
}

var errNoLog = errors.New("this console has no log")

// defaultTail is how many lines "log tail" shows.
const defaultTail = 10

// logLevels are the levels of a log, the lowest first.
var logLevels = []string{"trace", "debug", "info", "warn", "error", "disabled"}

// noOwnLevel takes the level of a component away.
const noOwnLevel = "default"

func (b *Builtins) logSpecs() []app.Spec {
	specs := append(b.logLevelSpecs(), b.logFileSpecs()...)
	if b.log == nil {
		for i := range specs {
			specs[i].Run = func(context.Context, *app.Env, app.Args) (any, error) { return nil, errNoLog }
		}
	}
	return specs
}

func (b *Builtins) logLevelSpecs() []app.Spec {
	return []app.Spec{
		{
			Name: "log level", Aliases: []string{"log"},
			Summary: "show the lowest level that is logged, or change it", Example: "log level debug",
			Detail: "Components that have a level of their own (log component) keep it.",
			Params: []app.Param{{Name: "level", Kind: app.Enum, Optional: true, Values: logLevels}}, Run: b.logLevel,
		},
		{
			Name:    "log component",
			Summary: "give one part of the peer a level of its own, or take it away", Example: "log component membership debug",
			Params: []app.Param{
				{Name: "component", Kind: app.Word, Complete: b.components},
				{Name: "level", Kind: app.Enum, Values: append(slices.Clone(logLevels), noOwnLevel)},
			},
			Run: b.logComponent,
		},
		{
			Name: "log components", Summary: "list the parts of the peer that log, with their levels", Example: "log components",
			Run: b.logComponents,
		},
	}
}

func (b *Builtins) logFileSpecs() []app.Spec {
	return []app.Spec{
		{
			Name: "log tail", Summary: "show the last lines of the log", Example: "log tail 20 --component membership",
			Detail: fmt.Sprintf("As JSON, %d lines unless told otherwise.", defaultTail),
			Params: []app.Param{{Name: "lines", Kind: app.Int, Optional: true}},
			Flags:  []app.Flag{{Name: "component", Kind: app.Word, Summary: "only lines of this part of the peer", Complete: b.components}},
			Run:    b.logTail,
		},
		{
			Name: "log on", Local: true, Summary: "append the log to a file too", Example: "log on peer.log",
			Params: []app.Param{{Name: "file", Kind: app.File}},
			Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
				return nil, b.log.ToFile(args.String("file"))
			},
		},
		{
			Name: "log off", Local: true, Summary: "end log on", Example: "log off",
			Run: func(context.Context, *app.Env, app.Args) (any, error) { return nil, b.log.ToFile("") },
		},
	}
}

// components offers the parts of the peer, with their levels.
func (b *Builtins) components() []app.Suggestion {
	if b.log == nil {
		return nil
	}
	var out []app.Suggestion
	own := b.log.ComponentLevels()
	for _, name := range b.log.Components() {
		level, ok := own[name]
		if !ok {
			level = b.log.Level() + ", the " + noOwnLevel
		}
		out = append(out, app.Suggestion{Text: name, Description: level})
	}
	return out
}

func (b *Builtins) checkComponent(name string) error {
	known := b.log.Components()
	if slices.Contains(known, name) {
		return nil
	}
	if near := command.Nearest(name, known); near != "" {
		return fmt.Errorf("no component of the log is called %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("no component of the log is called %q; there are %s", name, quoteList(known))
}

func (b *Builtins) logLevel(_ context.Context, _ *app.Env, args app.Args) (any, error) {
	if args.Has("level") {
		return nil, b.log.SetLevel(args.String("level"))
	}
	return app.Record{{Name: "level", Value: b.log.Level()}}, nil
}

func (b *Builtins) logComponent(_ context.Context, _ *app.Env, args app.Args) (any, error) {
	name, level := args.String("component"), args.String("level")
	if err := b.checkComponent(name); err != nil {
		return nil, err
	}
	if level == noOwnLevel {
		level = ""
	}
	return nil, b.log.SetComponentLevel(name, level)
}

func (b *Builtins) logComponents(context.Context, *app.Env, app.Args) (any, error) {
	t := app.Table{Columns: []string{"component", "level", "own"}}
	levels := b.log.ComponentLevels()
	for _, name := range b.log.Components() {
		level, own := levels[name]
		if !own {
			level = b.log.Level()
		}
		t.Add(name, level, own)
	}
	return t, nil
}

func (b *Builtins) logTail(_ context.Context, env *app.Env, args app.Args) (any, error) {
	n, component := defaultTail, ""
	if args.Has("lines") {
		n = args.Int("lines")
	}
	if args.Has("component") {
		component = args.String("component")
		if err := b.checkComponent(component); err != nil {
			return nil, err
		}
	}
	for _, line := range b.log.Tail(n, component) {
		if _, err := fmt.Fprintln(env.Out, command.Clean(line)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
