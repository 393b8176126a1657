//go:build unix

package term

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/c-bata/go-prompt"

	"peerlab.example/peerlab/internal/command"
)

// maxOffers is how many offers are shown at once, where the window has the rows.
const maxOffers = 6

// settle is how long the size of a window must not change before the prompt is drawn anew.
const settle = 80 * time.Millisecond

// Run opens a prompt and runs the lines typed there, until quit, Ctrl-D, two Ctrl-C in a row, or the end of ctx. When
// it returns, the terminal is as it was found.
func Run(ctx context.Context, cfg Config) error {
	t, err := newTTY()
	if err != nil {
		return err
	}
	defer func() { _ = t.close() }()
	f := &front{cfg: cfg, tty: t, screen: newScreen(os.Stdout, os.Getenv("NO_COLOR") == "")}
	cfg.Output.Attach(f.screen.Println)
	defer cfg.Output.Attach(nil)
	// At the prompt, Ctrl-C is a key. Around commands it is a signal, which must never end the process.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	done, stop := context.WithCancel(ctx)
	defer stop()
	tasks.Go(func() { f.watchSize(done) })
	defer context.AfterFunc(ctx, t.end)()
	return f.loop(ctx)
}

// front is an open prompt.
type front struct {
	cfg    Config
	tty    *tty
	screen *screen
	prompt *prompt.Prompt
	live   context.Context
}

func (f *front) loop(ctx context.Context) error {
	f.live = ctx
	f.prompt = prompt.New(func(string) {}, f.complete,
		prompt.OptionParser(f.tty), prompt.OptionWriter(f.screen),
		prompt.OptionLivePrefix(func() (string, bool) { return f.cfg.Prefix(), true }))
	text := ""
	for ctx.Err() == nil {
		f.prepare(text)
		line := f.prompt.Input()
		eof, redo := f.tty.ended()
		switch {
		case eof && line == "":
			return nil
		case redo:
			text = line
			continue
		}
		text = ""
		if f.run(ctx, line) {
			return nil
		}
	}
	return nil
}

// prepare sets what may have changed since the last line: options can be applied again.
func (f *front) prepare(text string) {
	size := f.tty.GetWinSize()
	f.screen.resize(int(size.Col))
	offers := max(1, min(maxOffers, int(size.Row)-3))
	for _, o := range []prompt.Option{
		prompt.OptionHistory(f.cfg.History.Lines()),
		prompt.OptionMaxSuggestion(uint16(offers)), //nolint:gosec // 1 to 6
		prompt.OptionInitialBufferText(text),
	} {
		_ = o(f.prompt) // these never fail
	}
}

// run runs one line, which Ctrl-C cancels, and reports whether it asked to quit.
func (f *front) run(ctx context.Context, line string) (quit bool) {
	f.screen.release()
	out := f.cfg.Output.Command()
	expanded, err := f.cfg.History.Expand(line)
	if err != nil {
		_, _ = fmt.Fprintf(out, "error: %v\n", err)
		return false
	}
	if expanded != line {
		_, _ = fmt.Fprintln(out, expanded)
	}
	f.cfg.History.Add(expanded)
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt)
	defer cancel()
	o := f.cfg.Backend.Execute(ctx, expanded, out)
	switch {
	case o.Err == nil:
	case errors.Is(o.Err, context.Canceled) || ctx.Err() != nil:
		_, _ = fmt.Fprintln(out, "interrupted")
	default:
		_, _ = fmt.Fprintf(out, "error: %s\n", command.Clean(o.Err.Error()))
	}
	return o.Quit
}

// complete offers what could stand at the cursor: nothing on an empty line, unless Tab asked for it,
// and nothing that stands there already.
func (f *front) complete(d prompt.Document) []prompt.Suggest {
	head := d.TextBeforeCursor()
	if strings.TrimSpace(head) == "" && d.LastKeyStroke() != prompt.Tab {
		return nil
	}
	offers, start := f.cfg.Backend.Complete(f.live, head, len(head))
	if len(offers) == 1 && start <= len(head) && offers[0].Text == head[start:] {
		return nil
	}
	out := make([]prompt.Suggest, len(offers))
	for i, o := range offers {
		out[i] = prompt.Suggest{Text: o.Text, Description: o.Description}
	}
	return out
}

// watchSize lets the prompt be drawn anew when the window has another size. go-prompt asks for the size only
// when it begins a line.
func (f *front) watchSize(ctx context.Context) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	defer signal.Stop(changed)
	settled := time.NewTimer(0)
	settled.Stop()
	for {
		select {
		case <-changed:
			f.screen.holdLive()
			settled.Reset(settle)
		case <-settled.C:
			if f.screen.isLive() {
				f.tty.again()
			}
		case <-ctx.Done():
			return
		}
	}
}
