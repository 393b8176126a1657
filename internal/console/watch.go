package console

import (
	"context"
	"fmt"
	"strings"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// repeated are the commands that run another one.
func repeated() []app.Spec {
	line := app.Param{Name: "command", Kind: app.Line}
	return []app.Spec{
		{
			Name: "watch", Group: "cli", Local: true,
			Summary: "run a command again and again, until Ctrl-C",
			Detail:  "At a terminal the new result takes the place of the old one; elsewhere it follows it. A failure is shown, and does not end it.",
			Example: "watch -n 2s member list",
			Params:  []app.Param{line},
			Flags: []app.Flag{
				{Name: "every", Short: "n", Kind: app.Duration, Default: "2s", Summary: "the time between two runs, at least 100ms"},
				{Name: "count", Short: "c", Kind: app.Int, Summary: "end after so many runs"},
			},
			Run: inSession(runWatch),
		},
		{
			Name: "time", Group: "cli", Local: true,
			Summary: "run a command and say how long it took",
			Example: "time chat ping",
			Params:  []app.Param{line},
			Run: inSession(func(ctx context.Context, f *frame, args app.Args) (any, error) {
				line, err := f.session.expandAlias(args.String("command"))
				if err != nil {
					return nil, err
				}
				start := time.Now()
				o := f.session.cfg.Engine.ExecuteAs(ctx, line, f.out, f.as)
				to := f.out
				if f.target.kind == toScreen && f.as.To != nil {
					to = f.as.To // below the result, which is shown when all of it is there
				}
				f.session.took(to, time.Since(start))
				return nil, ended(o)
			}),
		},
	}
}

// ended is the outcome of a command as the error of the one that ran it.
func ended(o command.Outcome) error {
	switch {
	case o.Quit:
		return command.ErrQuit
	case o.Err != nil:
		return nestedError{o.Err}
	}
	return nil
}

// shortestWatch keeps a watch from being a load test.
const shortestWatch = 100 * time.Millisecond

func runWatch(ctx context.Context, f *frame, args app.Args) (any, error) {
	line, err := f.session.expandAlias(args.String("command"))
	if err != nil {
		return nil, err
	}
	w := &watch{frame: f, line: line, every: args.Duration("every")}
	if w.every < shortestWatch {
		return nil, fmt.Errorf("watch: every %v is less than %v", w.every, shortestWatch)
	}
	if f.target.kind == toScreen && f.session.cfg.Interactive {
		w.screen = f.session.cfg.Output.Terminal()
	}
	if w.screen != nil {
		defer w.screen.Block(nil)
	}
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for n := 1; ; n++ {
		if err := w.round(ctx, n); err != nil || n == args.Int("count") {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, nil // the user has seen enough
		}
	}
}

type watch struct {
	frame  *frame
	line   string
	every  time.Duration
	screen Terminal // nil where results follow each other
}

// round runs the command once and shows the result. An error ends the watch.
func (w *watch) round(ctx context.Context, n int) error {
	var text, said results
	f := w.frame
	notes := &text // between the results, for people
	if f.as.Format != command.FormatTable && f.as.Format != "" {
		notes = &said
	}
	inner := &frame{session: f.session, target: f.target, out: notes, results: &text, as: command.Rendering{Format: f.as.Format, To: &text}}
	o := f.session.cfg.Engine.ExecuteAs(withFrame(ctx, inner), w.line, inner.out, inner.as)
	switch {
	case o.Usage(), o.Quit:
		return ended(o) // the next time would be no better
	case ctx.Err() != nil:
		return nil
	case o.Err != nil:
		_, _ = fmt.Fprintln(notes, "error: "+o.Err.Error())
	}
	if _, err := f.out.Write(said.close()); err != nil {
		return err
	}
	shown := text.close()
	head := fmt.Sprintf("every %v: %s    %s", w.every, w.line, time.Now().Format("15:04:05"))
	if w.screen != nil {
		lines := []string{head}
		for line := range strings.Lines(string(shown)) {
			lines = append(lines, command.Clean(strings.TrimSuffix(line, "\n")))
		}
		w.screen.Block(lines)
		return nil
	}
	if f.as.Format == command.FormatTable || f.as.Format == "" {
		if n > 1 {
			head = "\n" + head
		}
		_, _ = fmt.Fprintln(f.results, head)
	}
	_, err := f.results.Write(shown)
	return err
}
