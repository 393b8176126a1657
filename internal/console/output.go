package console

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"peerlab.example/peerlab/internal/command"
)

// Output is where all lines of a peer's process go. Whole lines only: one never cuts another. While a
// terminal front is attached, they appear above its prompt.
type Output struct {
	mu    sync.Mutex
	out   io.Writer    // guarded by mu
	err   io.Writer    // guarded by mu
	above func(string) // guarded by mu; nil without a prompt
}

// NewOutput writes to out, and logs to err.
func NewOutput(out, err io.Writer) *Output { return &Output{out: out, err: err} }

// Attach sends all lines to above, which prints one above a prompt, until Attach(nil).
func (o *Output) Attach(above func(line string)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.above = above
}

// Println prints a line of the application. Its text may come from peers, and is cleaned.
func (o *Output) Println(line string) { o.print(false, command.Clean(line)) }

// Command is a writer for what commands print.
func (o *Output) Command() io.Writer { return &lines{print: func(s string) { o.print(false, s) }} }

// Log is a writer for the log.
func (o *Output) Log() io.Writer { return &lines{print: func(s string) { o.print(true, s) }} }

func (o *Output) print(log bool, line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.above != nil:
		o.above(line)
	case log:
		_, _ = fmt.Fprintln(o.err, line) // who closes standard error does not want to know
	default:
		_, _ = fmt.Fprintln(o.out, line)
	}
}

// lines prints what is written line by line. What comes after the last line end waits for its own.
type lines struct {
	print func(string)
	mu    sync.Mutex
	rest  []byte // guarded by mu
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		l.print(string(line))
		l.rest = append(l.rest[:0:0], rest...)
	}
}
