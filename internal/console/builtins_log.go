package console

import (
	"context"
	"errors"
	"fmt"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// LogControl is what the log commands change. Its methods may be called from any goroutine.
type LogControl interface {
	Level() string
	SetLevel(level string) error
	// ToFile adds a file to the places where the log goes; an empty path ends that.
	ToFile(path string) error
	// Tail returns the last n lines, or as many as there are.
	Tail(n int) []string
}

var errNoLog = errors.New("this console has no log")

// defaultTail is how many lines "log tail" shows.
const defaultTail = 10

func (b *Builtins) logSpecs() []app.Spec {
	level := app.Param{
		Name: "level", Kind: app.Enum, Optional: true,
		Values: []string{"trace", "debug", "info", "warn", "error", "disabled"},
	}
	specs := []app.Spec{
		{
			Name: "log level", Aliases: []string{"log"},
			Summary: "show the lowest level that is logged, or change it", Example: "log level debug",
			Params: []app.Param{level}, Run: b.logLevel,
		},
		{
			Name: "log tail", Summary: "show the last lines of the log", Example: "log tail 20",
			Detail: fmt.Sprintf("As JSON, %d lines unless told otherwise.", defaultTail),
			Params: []app.Param{{Name: "lines", Kind: app.Int, Optional: true}}, Run: b.logTail,
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
	if b.log == nil {
		for i := range specs {
			specs[i].Run = func(context.Context, *app.Env, app.Args) (any, error) { return nil, errNoLog }
		}
	}
	return specs
}

func (b *Builtins) logLevel(_ context.Context, _ *app.Env, args app.Args) (any, error) {
	if args.Has("level") {
		return nil, b.log.SetLevel(args.String("level"))
	}
	return app.Record{{Name: "level", Value: b.log.Level()}}, nil
}

func (b *Builtins) logTail(_ context.Context, env *app.Env, args app.Args) (any, error) {
	n := defaultTail
	if args.Has("lines") {
		n = args.Int("lines")
	}
	for _, line := range b.log.Tail(n) {
		if _, err := fmt.Fprintln(env.Out, command.Clean(line)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
