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

// maxLine is the longest line of a script in bytes: enough for the longest message in quotes.
const maxLine = 64 << 10

// ScriptError is the line at which a script stopped.
type ScriptError struct {
	// Name is that of the file, or "-e", or "stdin".
	Name string
	// Line and Col begin at 1.
	Line, Col int
	Err       error
}

func (e *ScriptError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %v", e.Name, e.Line, e.Col, e.Err)
}

// Unwrap is the error of the command.
func (e *ScriptError) Unwrap() error { return e.Err }

// RunScript runs the lines of r until one fails, quits, or there are no more. The error is a *ScriptError, or
// that of reading or of ctx. name stands for r in errors.
func RunScript(ctx context.Context, b Backend, name string, r io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		quit, err := runLine(ctx, b, name, n, lines.Text(), out)
		if quit || err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return &ScriptError{Name: name, Line: n + 1, Col: 1, Err: fmt.Errorf("the line is longer than %d bytes", maxLine)}
	}
	if lines.Err() != nil {
		return fmt.Errorf("read %s: %w", name, lines.Err())
	}
	return nil
}

// RunLines runs commands that are separated by ; like RunScript. Each counts as a line.
func RunLines(ctx context.Context, b Backend, name, commands string, out io.Writer) error {
	for i, line := range command.SplitCommands(commands) {
		quit, err := runLine(ctx, b, name, i+1, line, out)
		if quit || err != nil {
			return err
		}
	}
	return nil
}

func runLine(ctx context.Context, b Backend, name string, n int, line string, out io.Writer) (quit bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx)
	}
	line, err = uncomment(line)
	if err == nil {
		o := b.Execute(ctx, line, out)
		quit, err = o.Quit, o.Err
	}
	if err == nil {
		return quit, nil
	}
	col := 1 + len(line) - len(strings.TrimLeft(line, " \t"))
	var usage *command.UsageError
	var syntax *command.SyntaxError
	switch {
	case errors.As(err, &usage):
		col = usage.Col
	case errors.As(err, &syntax):
		col = syntax.Col
	}
	return false, &ScriptError{Name: name, Line: n, Col: col, Err: err}
}

// uncomment cuts a comment off the end of a line of a script.
func uncomment(line string) (string, error) {
	words, err := command.SplitScript(line)
	if err != nil {
		return line, err
	}
	all, err := command.Split(line)
	if err == nil && len(all) == len(words) {
		return line, nil
	}
	if len(words) == 0 {
		return "", nil
	}
	// The comment begins at the first # after the last word that starts a word of its own. What stands
	// in front of it is cut there, so that columns stay those of the file.
	last := words[len(words)-1]
	for i := last.Col; i < len(line); i++ {
		if line[i] == '#' && (line[i-1] == ' ' || line[i-1] == '\t') {
			if head, err := command.Split(line[:i]); err == nil && len(head) == len(words) {
				return line[:i], nil
			}
		}
	}
	return line, nil
}
