package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

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

// RunScript runs the lines of r until the first that fails, which is a *ScriptError, or until quit, which is
// no error. A # at the start of a word begins a comment. name is for messages. If ctx ends while r
// blocks, RunScript returns at once, and the goroutine that reads ends with r's next answer.
func RunScript(ctx context.Context, b Backend, name string, r io.Reader, out io.Writer) error {
	_, err := runScript(ctx, b, name, r, out)
	return err
}

func runScript(ctx context.Context, b Backend, name string, r io.Reader, out io.Writer) (quit bool, err error) {
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
				return false, nil
			}
			return false, &ScriptError{File: name, Line: n, Col: 1, Err: next.err}
		}
		line := next.line
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if quit, err := runLine(ctx, b, name, n, 0, line, out); quit || err != nil {
			return quit, err
		}
	}
}

// RunLines runs the commands of -e, which are separated by ;, like a script of one line.
func RunLines(ctx context.Context, b Backend, name, commands string, out io.Writer) error {
	offset := 0
	for _, line := range command.SplitCommands(commands) {
		if quit, err := runLine(ctx, b, name, 1, offset, line, out); quit || err != nil {
			return err
		}
		offset += len(line) + 1
	}
	return nil
}

// runLine runs a line that begins offset bytes after the start of line n.
func runLine(ctx context.Context, b Backend, name string, n, offset int, line string, out io.Writer) (quit bool, err error) {
	if ctx.Err() != nil {
		return false, fmt.Errorf("%s: %w", name, context.Cause(ctx))
	}
	line = command.CutComment(line)
	if strings.TrimSpace(line) == "" {
		return false, nil
	}
	o := b.Execute(ctx, line, out)
	flush(out)
	if o.Err == nil {
		return o.Quit, nil
	}
	return false, &ScriptError{File: name, Line: n, Col: offset + column(line, o.Err), Err: o.Err}
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
