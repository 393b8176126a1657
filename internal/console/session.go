package console

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// Engine is what a Session runs single commands with. It may be used from several goroutines at once.
type Engine interface {
	// ExecuteAs runs one command. Its progress goes to notes. It returns soon after ctx has ended.
	ExecuteAs(ctx context.Context, line string, notes io.Writer, r command.Rendering) command.Outcome
	// Complete is as that of Backend.
	Complete(ctx context.Context, line string, cursor int) (offers []app.Suggestion, start int)
	// Ready waits until Free can tell of a line that begins so, or says why it cannot.
	Ready(ctx context.Context, words []command.Word) error
	// Near is the command of one word that differs from word in one letter; "" if there is none. It answers at once.
	Near(word string) string
	// Free says from which word on a command takes text; see command.Table. It answers at once.
	Free(words []command.Word) (from int, rest command.Rest, known bool)
}

// SessionConfig is what a Session needs.
type SessionConfig struct {
	Engine Engine
	Output *Output
	// Events is where "events on" reads; may be nil.
	Events EventSource
	// Interactive is set when a person sits at a terminal: long results go through a pager.
	Interactive bool
	// KeepGoing lets scripts go on after a line that failed.
	KeepGoing bool
}

// Session is one console: what the one who types has set (variables, aliases, the format of results), above
// an Engine. It is the Backend of prompts and scripts. A line is
//
//	COMMAND [> FILE | >> FILE | "|" SHELL COMMAND]
//	NAME = COMMAND, or NAME = VALUE
//
// in which $NAME and ${NAME} stand for variables, and the first word may be an alias. Its methods may be called from
// any goroutine.
type Session struct {
	cfg   SessionConfig
	feed  feed // of "events on"
	shown feed // of FollowShown

	mu      sync.Mutex
	vars    map[string]string // guarded by mu
	aliases map[string]string // guarded by mu
	format  command.Format    // guarded by mu
	timing  bool              // guarded by mu
	pager   bool              // guarded by mu
}

var _ Backend = (*Session)(nil)

// NewSession makes a console. Close ends it.
func NewSession(cfg SessionConfig) *Session {
	return &Session{
		cfg: cfg, vars: map[string]string{}, aliases: map[string]string{}, format: command.FormatTable, pager: cfg.Interactive,
	}
}

// Close ends what the session has left running, and waits for it.
func (s *Session) Close() {
	s.feed.stop()
	s.shown.stop()
}

// Execute runs one line and writes what it says to out. A line that could not be read, and nothing of which was run, is a
// *command.SyntaxError or *command.UsageError.
func (s *Session) Execute(ctx context.Context, line string, out io.Writer) command.Outcome {
	if err := s.ready(ctx, line); err != nil {
		return command.Outcome{Err: err}
	}
	st, err := s.read(line)
	if err != nil || st == nil {
		return command.Outcome{Err: err}
	}
	start := time.Now()
	o := s.run(ctx, st, out)
	if s.option(&s.timing) {
		s.took(out, time.Since(start))
	}
	return o
}

// ready makes sure that what is text for a command is not taken for a pipe, a file or a variable.
func (s *Session) ready(ctx context.Context, line string) error {
	words, err := command.Split(line)
	if err != nil || !strings.ContainsAny(line, "|>$=") {
		return nil // read will tell
	}
	return s.cfg.Engine.Ready(ctx, words)
}

func (s *Session) took(out io.Writer, d time.Duration) { s.remark(out, "took "+command.Duration(d)) }

// doubt asks whether the value of a variable should not have been a command.
func (s *Session) doubt(st *statement, out io.Writer) {
	if near := s.cfg.Engine.Near(st.value); near != "" && !st.quoted {
		s.remark(out, fmt.Sprintf("%s is the text %q now; did you mean the command %q?", st.capture, st.value, near))
	}
}

// remark is what the console itself has to say: between the results where a person reads these, and else to standard error.
func (s *Session) remark(out io.Writer, text string) {
	w, done := s.notes(out)
	if s.cfg.Output.read {
		n := s.cfg.Output.Notes()
		w, done = n, n.Flush
	}
	defer done()
	_, _ = fmt.Fprintln(w, text)
}

// notes is where the progress of commands goes: between the results where these are for people, and else to
// standard error. done shows what is left.
func (s *Session) notes(out io.Writer) (w io.Writer, done func()) {
	if s.Format() == command.FormatTable {
		return out, func() {}
	}
	n := s.cfg.Output.Notes()
	return n, n.Flush
}

// frame is the statement that a command runs in. Commands of the session find it in their context.
type frame struct {
	session *Session
	target  target
	out     io.Writer         // progress, and what people read
	results io.Writer         // what commands inside this one give; for people the same as out
	as      command.Rendering // of the command itself
}

type frameKey struct{}

func withFrame(ctx context.Context, f *frame) context.Context {
	return context.WithValue(ctx, frameKey{}, f)
}

// errNoSession is the error of a command that belongs to a console, called without one.
var errNoSession = errors.New("this works only at a console")

func frameOf(ctx context.Context) (*frame, error) {
	if f, ok := ctx.Value(frameKey{}).(*frame); ok {
		return f, nil
	}
	return nil, errNoSession
}

// run runs a statement.
func (s *Session) run(ctx context.Context, st *statement, out io.Writer) command.Outcome {
	if st.capture != "" && st.line == "" {
		s.doubt(st, out)
		return command.Outcome{Err: s.setVariable(st.capture, st.value)}
	}
	notes, done := s.notes(out)
	defer done()
	f := &frame{session: s, target: st.target, out: notes, results: out}
	f.as.Format = s.Format()
	if outer, err := frameOf(ctx); err == nil && outer.target.kind != toScreen {
		f.as.Format = outer.as.Format // a line of a script whose results go somewhere
	}
	var o command.Outcome
	switch st.target.kind {
	case toVariable:
		f.as.Format = command.FormatJSON
		var text []byte
		if text, o = s.collect(ctx, st, f); o.Err == nil {
			o.Err = s.setVariable(st.capture, plain(string(bytes.TrimRight(text, "\n"))))
		}
	case toFile:
		o = s.toFile(ctx, st, f)
	case toPipe:
		o = s.toPipe(ctx, st, f)
	case toScreen:
		o = s.toScreen(ctx, st, f)
	}
	return o
}

// execute gives the command of a statement to the engine, and finds the place of its errors in the line as typed.
func (s *Session) execute(ctx context.Context, st *statement, f *frame) command.Outcome {
	o := s.cfg.Engine.ExecuteAs(withFrame(ctx, f), st.line, f.out, f.as)
	var usage *command.UsageError
	if errors.As(o.Err, &usage) && usage.Col > 0 {
		placed := *usage
		placed.Col = st.column(usage.Col)
		o.Err = &placed
	}
	return o
}

// Format is how results are written.
func (s *Session) Format() command.Format {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.format
}

func (s *Session) option(o *bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *o
}

// onOff are the values of an option that is a switch.
var onOff = []string{"on", "off"}

func onOrOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// options are the names that set knows beside variables, with their values.
func options() map[string][]string {
	return map[string][]string{"output": command.Formats(), "timing": onOff, "pager": onOff}
}

// SetOption changes how the session behaves: output (table, json, jsonl, yaml), timing or pager (on, off).
func (s *Session) SetOption(name, value string) error {
	values, ok := options()[name]
	if !ok {
		return fmt.Errorf("there is no option %q; there are %v", name, slices.Sorted(maps.Keys(options())))
	}
	if !slices.Contains(values, value) {
		hint := ""
		if near := command.Nearest(value, values); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		return fmt.Errorf("%s: %q is none of %s%s", name, value, quoteList(values), hint)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch name {
	case "output":
		s.format = command.Format(value)
		s.cfg.Output.ResultsAlone(s.format != command.FormatTable)
	case "timing":
		s.timing = value == "on"
	case "pager":
		s.pager = value == "on"
	}
	return nil
}

// Option is the value of an option; "" for one that does not exist.
func (s *Session) Option(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch name {
	case "output":
		return string(cmp.Or(s.format, command.FormatTable))
	case "timing":
		return onOrOff(s.timing)
	case "pager":
		return onOrOff(s.pager)
	}
	return ""
}
