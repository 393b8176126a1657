package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// tour is what play shows when it is given no script. Commands that the peer does not have are left out.
const tour = `# Join the group: create, bootstrap join, start, join, and the application.
init
# Who is here, as this peer believes?
member list
# Whom does a newcomer contact first?
bootstrap list
# Keys and values that every member holds a copy of.
broadcast add tour "hello, world"
broadcast list
# The application.
chat members
msg hello from the tour
# What else is there?
groups
`

func play() app.Spec {
	return app.Spec{
		Name: "play", Group: "development", Local: true,
		Summary: "show a script line by line, as if somebody typed it; without a file, a tour",
		Example: "play --pause 2s",
		Params:  []app.Param{{Name: "file", Kind: app.File, Optional: true}},
		Flags:   []app.Flag{{Name: "pause", Kind: app.Duration, Default: "1s", Summary: "the time before each line"}},
		Run: inSession(func(ctx context.Context, f *frame, args app.Args) (any, error) {
			p := player{frame: f, pause: args.Duration("pause"), script: &script{session: f.session, name: "tour", out: f.results}}
			if !args.Has("file") {
				p.lenient = true
				return nil, p.play(ctx, "tour", strings.NewReader(tour))
			}
			file, err := OpenScript(args.String("file"))
			if err != nil {
				return nil, err
			}
			defer func() { _ = file.Close() }()
			p.script.name = args.String("file")
			return nil, p.play(ctx, args.String("file"), file)
		}),
	}
}

type player struct {
	frame   *frame
	script  *script
	pause   time.Duration
	lenient bool // leave lines out that are no commands here, and go on after failures
}

// play shows and runs each line. Comments are shown.
func (p *player) play(ctx context.Context, name string, r io.Reader) error {
	ctx, err := executing(ctx, r)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	lines := readLines(r, done)
	for n := 1; ; n++ {
		next := <-lines
		switch {
		case errors.Is(next.err, io.EOF):
			return p.script.failures()
		case next.err != nil:
			return &ScriptError{File: name, Line: n, Col: 1, Err: next.err}
		}
		line := strings.TrimSpace(next.line)
		if line == "" || p.lenient && !strings.HasPrefix(line, "#") && !p.frame.session.isCommandLine(line) {
			continue
		}
		if err := wait(ctx, p.pause); err != nil {
			return err
		}
		if quit, err := p.line(ctx, n, line); quit || err != nil {
			return ended(command.Outcome{Err: err, Quit: quit})
		}
	}
}

// line shows and runs one line.
func (p *player) line(ctx context.Context, n int, line string) (quit bool, err error) {
	show := "> " + line
	if strings.HasPrefix(line, "#") {
		show = line
	}
	if _, err := fmt.Fprintln(p.frame.out, command.Clean(show)); err != nil {
		return false, err
	}
	quit, err = p.script.run(ctx, n, 0, line)
	if err != nil && p.lenient && ctx.Err() == nil {
		_, err = fmt.Fprintln(p.frame.out, "error: "+command.Clean(err.Error()))
	}
	return quit, err
}

// isCommandLine reports whether a line begins with the name of a command.
func (s *Session) isCommandLine(line string) bool {
	words, err := command.Split(line)
	if err != nil {
		return false
	}
	_, _, known := s.cfg.Engine.Free(words)
	return known
}

// wait sleeps for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
