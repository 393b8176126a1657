package command

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"peerlab.example/peerlab/app"
)

// ErrQuit is what a command returns to end the console or the peer it was typed at. It is no failure.
var ErrQuit = errors.New("quit")

// PanicError is a command that panicked. The peer lives on; the stack belongs in the log.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("the command panicked: %v", e.Value) }

// Outcome is how a line ended.
type Outcome struct {
	// Err is nil when the command succeeded, and for a line that is empty or a comment.
	Err error
	// JSON is the result on one line of JSON; empty when the command has none.
	JSON string
	// Quit is set when the command asked to end. Err is nil then.
	Quit bool
}

// Usage reports whether the line was not understood, so that nothing was run.
func (o Outcome) Usage() bool {
	var usage *UsageError
	var syntax *SyntaxError
	return errors.As(o.Err, &usage) || errors.As(o.Err, &syntax)
}

// Executor runs lines against a table. It may be used from several goroutines at once.
type Executor struct {
	Table *Table
	// Done, if not nil, is called after each line that was not empty.
	Done func(line string, o Outcome, took time.Duration)
}

// Execute runs one line and writes the result as text to env.Out. A panic of the command becomes a PanicError.
func (x *Executor) Execute(ctx context.Context, line string, env *app.Env) Outcome {
	start := time.Now()
	call, err := x.Table.Parse(line)
	if call == nil && err == nil {
		return Outcome{}
	}
	o := Outcome{Err: err}
	if err == nil {
		o = run(ctx, call, env)
	}
	if x.Done != nil {
		x.Done(line, o, time.Since(start))
	}
	return o
}

func run(ctx context.Context, call *Call, env *app.Env) (o Outcome) {
	defer func() {
		if v := recover(); v != nil {
			o = Outcome{Err: &PanicError{Value: v, Stack: debug.Stack()}}
		}
	}()
	if env.Remote && call.Spec.Local {
		return Outcome{Err: fmt.Errorf("%s works only at the peer's own console", call.Spec.Name)}
	}
	result, err := call.Run(ctx, env)
	if errors.Is(err, ErrQuit) {
		return Outcome{Quit: true}
	}
	if err != nil {
		return Outcome{Err: err}
	}
	if err := Text(env.Out, result); err != nil {
		return Outcome{Err: fmt.Errorf("write the result: %w", err)}
	}
	json, err := JSON(result)
	return Outcome{Err: err, JSON: json}
}
