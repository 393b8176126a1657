//go:build linux || darwin || freebsd || netbsd || openbsd

package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	prompt "github.com/c-bata/go-prompt"
	xterm "golang.org/x/term"

	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/console"
)

// Available reports whether Run can work: standard input and output are a terminal that can
// be drawn on. Else lines are best read as a script.
func Available() bool {
	if os.Getenv("TERM") == "dumb" || !xterm.IsTerminal(int(os.Stdin.Fd())) || !xterm.IsTerminal(int(os.Stdout.Fd())) {
		return false
	}
	tty, err := openTerminal()
	if err != nil {
		return false
	}
	return tty.Close() == nil
}

func openTerminal() (*os.File, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) }

// Run reads lines at a prompt and runs them, until quit, Ctrl-D on an empty line, or Ctrl-C twice within
// a second, which are no error. When ctx ends it returns the cause. The terminal is then as it was before, also after a
// panic. While Run runs it takes SIGINT: a command is cancelled, a line is cleared.
func Run(ctx context.Context, c Config) (err error) {
	tty, err := openTerminal()
	if err != nil {
		return fmt.Errorf("prompt: %w", err)
	}
	defer func() { err = errors.Join(err, tty.Close()) }()
	if c.History == nil {
		c.History = console.NewHistory("")
	}
	if c.Alarm == nil {
		c.Alarm = func() bool { return false }
	}
	f := &front{Config: c, parser: newParser(int(tty.Fd()))}
	defer func() { _ = f.parser.TearDown() }() // its first error is reported by ended
	f.screen = newScreen(os.Stdout, c.Color, f.parser.size)
	c.Output.Attach(f.screen)
	defer func() {
		c.Output.Detach()
		f.screen.close()
	}()
	f.parser.onRedo = func() { f.screen.redraw(int(f.parser.GetWinSize().Col)) }
	f.prompt = prompt.New(func(string) {}, f.complete,
		prompt.OptionParser(f.parser),
		prompt.OptionWriter(f.screen),
		prompt.OptionLivePrefix(func() (string, bool) { return f.prefix.get(), true }),
		prompt.OptionCompletionWordSeparator(" "),
		prompt.OptionAddKeyBind(prompt.KeyBind{Key: prompt.ControlR, Fn: f.recall}, prompt.KeyBind{Key: prompt.ControlC, Fn: f.forget}),
		f.editor.bind(),
	)
	stop := f.watch(ctx)
	defer stop()
	if err := c.History.Err(); err != nil {
		c.Output.Println(fmt.Sprintf("lines are not kept: %v", err))
	}
	return f.loop(ctx)
}

// front is a prompt that runs.
type front struct {
	Config
	parser   *parser
	screen   *screen
	prompt   *prompt.Prompt
	prefix   prefix
	popup    popup
	recalled recalled
	typed    string // the text after the last key
	editor   editor

	mu     sync.Mutex
	cancel context.CancelFunc // guarded by mu; of the command that runs, or nil
}

// loop is one line, one command.
func (f *front) loop(ctx context.Context) error {
	for {
		line, err := f.read(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if quit := f.run(ctx, line); quit {
			return nil
		}
	}
}

// read lets the user edit one line. It returns io.EOF when the user wants to leave.
func (f *front) read(ctx context.Context) (string, error) {
	text := ""
	for ctx.Err() == nil {
		f.screen.queue.flush() // the output of the command before
		size := f.parser.GetWinSize()
		f.screen.resize(int(size.Col))
		f.popup.resize(int(size.Row), int(size.Col))
		f.look(int(size.Col))
		f.fit("")
		f.typed = text
		f.set(prompt.OptionHistory(beginning(f.History.Lines(), text)))
		f.set(prompt.OptionInitialBufferText(text))
		text = f.prompt.Input()
		end, err := f.parser.ended()
		switch {
		case err != nil:
			return "", fmt.Errorf("terminal: %w", err)
		case end == endEnter:
			return text, nil
		case end == endEOF:
			return "", io.EOF
		}
	}
	return "", nil
}

// set applies an option to the prompt between two lines.
func (f *front) set(o prompt.Option) { _ = o(f.prompt) } // the options used here never fail

// run runs one line in a terminal that is not raw, so that Ctrl-C is a signal.
func (f *front) run(ctx context.Context, text string) (quit bool) {
	line, err := f.History.Expand(text)
	if err != nil {
		f.Output.Println("error: " + err.Error())
		return false
	}
	out := f.Output.Command()
	if line != text {
		_, _ = fmt.Fprintln(out, line)
	}
	if strings.TrimSpace(line) == "" {
		return false
	}
	if !strings.HasPrefix(text, " ") {
		f.History.Add(line)
	}
	ctx, cancel := context.WithCancel(console.WithHistory(ctx, f.History))
	defer cancel()
	f.setCancel(cancel)
	o := f.Backend.Execute(ctx, line, out)
	f.setCancel(nil)
	out.Flush()
	var abandoned *command.AbandonedError
	switch {
	case errors.As(o.Err, &abandoned): // it may still do something
		_, _ = fmt.Fprintln(out, "interrupted: "+command.Clean(abandoned.Error()))
	case o.Err == nil && ctx.Err() != nil && !o.Quit:
		_, _ = fmt.Fprintln(out) // the terminal has shown a ^C
	case o.Err == nil:
	case ctx.Err() != nil:
		_, _ = fmt.Fprintln(out, "interrupted")
	default:
		_, _ = fmt.Fprintln(out, "error: "+command.Clean(o.Err.Error()))
	}
	return o.Quit
}

func (f *front) setCancel(cancel context.CancelFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancel = cancel
}

// interrupt is SIGINT: it cancels the command, or is a Ctrl-C at the prompt. A program that has the terminal, such as a pager,
// gets the signal too, and knows best what to do.
func (f *front) interrupt() {
	f.mu.Lock()
	cancel := f.cancel
	f.mu.Unlock()
	switch {
	case cancel == nil:
		f.parser.interrupt()
	case !f.screen.isPaused():
		cancel()
	}
}
