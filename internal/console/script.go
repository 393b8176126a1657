package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// maxScriptLine is the longest line of a script in bytes.
const maxScriptLine = 1 << 20

// ScriptError is the line at which a script stopped.
type ScriptError struct {
	// File is the name of the script as the user wrote it.
	File string
	// Line and Col count from 1; Col is in bytes.
	Line, Col int
	Err       error
}

func (e *ScriptError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Err)
}

func (e *ScriptError) Unwrap() error { return e.Err }

// nestedError is the error of a script that a line ran. That its cause is a wrong line does not make
// the line that ran it a wrong one, so errors.As does not look into it.
type nestedError struct{ err error }

func (e nestedError) Error() string        { return e.err.Error() }
func (e nestedError) Is(target error) bool { return errors.Is(e.err, target) }

// As finds what is true of the line that ran the command, too.
func (e nestedError) As(target any) bool {
	abandoned, ok := target.(**command.AbandonedError)
	return ok && errors.As(e.err, abandoned)
}

// RunScript runs the lines of r until the first that fails, which is a *ScriptError, or until quit, which is
// no error. A session that keeps going reports failures instead, and the last line decides nothing: the error then says how many
// there were. A # at the start of a word begins a comment. name is for messages. If ctx ends while r
// blocks, RunScript returns at once, and the goroutine that reads ends with r's next answer.
func (s *Session) RunScript(ctx context.Context, name string, r io.Reader, out io.Writer) error {
	_, err := s.script(ctx, name, r, out)
	return err
}

// RunLines runs the commands of -e like a script: its lines are those of a file, but that a ; separates, too.
func (s *Session) RunLines(ctx context.Context, name, commands string, out io.Writer) error {
	p := &script{session: s, name: name, out: out}
	for i, line := range strings.Split(commands, "\n") {
		offset := 0
		for _, part := range command.SplitCommands(strings.TrimSuffix(line, "\r")) {
			if quit, err := p.run(ctx, i+1, offset, part); quit || err != nil {
				return errors.Join(err, p.failures())
			}
			offset += len(part) + 1
		}
	}
	return p.failures()
}

func (s *Session) script(ctx context.Context, name string, r io.Reader, out io.Writer) (quit bool, err error) {
	ctx, err = executing(ctx, r)
	if err != nil {
		return false, err
	}
	p := &script{session: s, name: name, out: out}
	done := make(chan struct{})
	defer close(done)
	lines := readLines(r, done)
	for n := 1; ; n++ {
		var next scanned
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("%s: %w", name, context.Cause(ctx))
		case next = <-lines:
		}
		if next.err != nil {
			if errors.Is(next.err, io.EOF) {
				return false, p.failures()
			}
			return false, &ScriptError{File: name, Line: n, Col: 1, Err: next.err}
		}
		line := next.line
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if quit, err := p.run(ctx, n, 0, line); quit || err != nil {
			return quit, errors.Join(err, p.failures())
		}
	}
}

// script is a script that runs.
type script struct {
	session *Session
	name    string
	out     io.Writer
	failed  int
}

// run runs a line that begins offset bytes after the start of line n.
func (p *script) run(ctx context.Context, n, offset int, line string) (quit bool, err error) {
	if ctx.Err() != nil {
		return false, fmt.Errorf("%s: %w", p.name, context.Cause(ctx))
	}
	line = command.CutComment(line)
	if strings.TrimSpace(line) == "" {
		return false, nil
	}
	o := p.session.Execute(ctx, line, p.out)
	flush(p.out)
	if o.Err == nil {
		return o.Quit, nil
	}
	err = &ScriptError{File: p.name, Line: n, Col: offset + column(line, o.Err), Err: o.Err}
	if !p.session.cfg.KeepGoing || ctx.Err() != nil {
		return false, err
	}
	p.failed++
	w := p.session.cfg.Output.Notes()
	_, _ = fmt.Fprintln(w, err)
	return false, nil
}

// failures is the error of a script that kept going.
func (p *script) failures() error {
	if p.failed == 0 {
		return nil
	}
	if p.failed == 1 {
		return fmt.Errorf("%s: 1 line failed", p.name)
	}
	return fmt.Errorf("%s: %d lines failed", p.name, p.failed)
}

// maxDepth is how deep scripts may execute scripts.
const maxDepth = 8

// scripts is the key for the files of the scripts that a command runs in.
type scripts struct{}

// errEndless is the error of a script that executes itself, be it by way of others. Since nothing in a script depends on
// anything, it would do so for ever.
var errEndless = errors.New("this script is being executed already, and would execute itself for ever")

// executing is the context of the lines of a script.
func executing(ctx context.Context, script io.Reader) (context.Context, error) {
	outer, _ := ctx.Value(scripts{}).([]os.FileInfo)
	if len(outer) > maxDepth {
		return nil, fmt.Errorf("scripts are nested more than %d deep", maxDepth)
	}
	var info os.FileInfo
	if file, ok := script.(*os.File); ok {
		var err error
		if info, err = file.Stat(); err != nil {
			return nil, err
		}
	}
	if info != nil && slices.ContainsFunc(outer, func(o os.FileInfo) bool { return o != nil && os.SameFile(o, info) }) {
		return nil, errEndless
	}
	return context.WithValue(ctx, scripts{}, append(slices.Clip(outer), info)), nil
}

// OpenScript opens the file of a script.
func OpenScript(path string) (*os.File, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(fmt.Errorf("open %s: this is a folder, not a script", path), file.Close())
	}
	return file, nil
}

func execute() app.Spec {
	return app.Spec{
		Name: "execute", Group: "script", Local: true,
		Summary: "run the commands in a file, until the first that fails",
		Detail: "One command a line; a # at the start of a word begins a comment. Variables are those of the console.\n" +
			"A path that is not absolute is looked up from where the console was started. quit in the file ends the console too.",
		Example: "execute chat.txt",
		Params:  []app.Param{{Name: "file", Kind: app.File}},
		Run: inSession(func(ctx context.Context, f *frame, args app.Args) (any, error) {
			file, err := OpenScript(args.String("file"))
			if err != nil {
				return nil, err
			}
			defer func() { _ = file.Close() }()
			quit, err := f.session.script(ctx, args.String("file"), file, f.results)
			return nil, ended(command.Outcome{Err: err, Quit: quit})
		}),
	}
}

// column is where in the line the error is: at the word it names, or else at the first word.
func column(line string, err error) int {
	var usage *command.UsageError
	var syntax *command.SyntaxError
	switch {
	case errors.As(err, &usage) && usage.Col > 0:
		return usage.Col
	case errors.As(err, &syntax) && syntax.Col > 0:
		return syntax.Col
	}
	return len(line) - len(strings.TrimLeft(line, " \t")) + 1
}

type scanned struct {
	line string
	err  error
}

// readLines reads in a goroutine, because standard input may block for ever. The goroutine ends after
// the last line, or at the next one once done is closed. The last value is an error, io.EOF at the end.
func readLines(r io.Reader, done <-chan struct{}) <-chan scanned {
	lines := make(chan scanned)
	go func() {
		s := bufio.NewScanner(r)
		s.Buffer(nil, maxScriptLine)
		send := func(v scanned) bool {
			select {
			case lines <- v:
				return true
			case <-done:
				return false
			}
		}
		for s.Scan() {
			if !send(scanned{line: s.Text()}) {
				return
			}
		}
		err := s.Err()
		switch {
		case err == nil:
			err = io.EOF
		case errors.Is(err, bufio.ErrTooLong):
			err = fmt.Errorf("the line is longer than %d bytes", maxScriptLine)
		default:
			err = fmt.Errorf("read: %w", err)
		}
		send(scanned{err: err})
	}()
	return lines
}
