package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"peerlab.example/peerlab/app"
)

// ErrQuit is what a command returns to end the console or the peer it was typed at. It is no failure.
var ErrQuit = errors.New("quit")

// abandonAfter is how long a command may take to return when it was cancelled. Then it is left to itself.
const abandonAfter = 3 * time.Second

// PanicError is a command that panicked. The peer lives on; the stack belongs in the log.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("the command panicked: %v", e.Value) }

// AbandonedError is a command that did not return after it was cancelled. It may run on, and nobody hears of it.
type AbandonedError struct {
	// Name is that of the command.
	Name string
	// Cause is why it was cancelled.
	Cause error
}

func (e *AbandonedError) Error() string {
	text := fmt.Sprintf("%s has not stopped %v after it was cancelled, and is left to itself", e.Name, abandonAfter)
	if errors.Is(e.Cause, context.Canceled) {
		return text // the user knows who did it
	}
	return fmt.Sprintf("%s: %v", text, e.Cause)
}

func (e *AbandonedError) Unwrap() error { return e.Cause }

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

// Rendering says how and where to the result of a command is written.
type Rendering struct {
	Format Format
	// To takes the result; nil means Env.Out, where the progress of the command goes.
	To io.Writer
	// Quiet lines are those of programs that only look: Executor.Done is not told of them.
	Quiet bool
}

// Executor runs lines against a table. It may be used from several goroutines at once.
type Executor struct {
	Table *Table
	// Done, if not nil, is called after each line that was neither empty nor quiet.
	Done func(line string, o Outcome, took time.Duration)
}

// Execute runs one line and writes the result as a table to env.Out.
func (x *Executor) Execute(ctx context.Context, line string, env *app.Env) Outcome {
	return x.ExecuteAs(ctx, line, env, Rendering{})
}

// ExecuteAs runs one line and writes the result. Whatever the command does, it returns: a panic becomes a
// PanicError; of more than MaxOutput bytes of progress the rest is dropped, which is said; a command that
// has not ended 3 s after ctx is left to itself, and its output is dropped.
func (x *Executor) ExecuteAs(ctx context.Context, line string, env *app.Env, r Rendering) Outcome {
	start := time.Now()
	call, err := x.Table.Parse(line)
	if call == nil && err == nil {
		return Outcome{}
	}
	o := Outcome{Err: err}
	if err == nil {
		o = run(ctx, call, env, r)
	}
	if x.Done != nil && !r.Quiet {
		x.Done(line, o, time.Since(start))
	}
	return o
}

func run(ctx context.Context, call *Call, env *app.Env, r Rendering) Outcome {
	if env.Remote && call.Spec.Local {
		return Outcome{Err: fmt.Errorf("%s works only at the peer's own console", call.Spec.Name)}
	}
	out := newBounded(env.Out)
	defer out.close()
	inner := *env
	inner.Out = out
	type returned struct {
		result any
		err    error
	}
	done := make(chan returned, 1) // the command can end when nobody waits any more
	go func() {
		var v returned
		v.err = safely(func() (err error) {
			v.result, err = call.Run(ctx, &inner)
			return err
		})
		done <- v
	}()
	var v returned
	select {
	case v = <-done:
	case <-ctx.Done():
		patience := time.NewTimer(abandonAfter)
		defer patience.Stop()
		select {
		case v = <-done:
		case <-patience.C:
			return Outcome{Err: &AbandonedError{Name: call.Spec.Name, Cause: context.Cause(ctx)}}
		}
	}
	if errors.Is(v.err, ErrQuit) {
		return Outcome{Quit: true}
	}
	if v.err != nil {
		return Outcome{Err: v.err}
	}
	if r.To == nil {
		r.To = env.Out
	}
	return finish(v.result, r)
}

// finish writes the result. What an application puts into it may panic too.
func finish(result any, r Rendering) (o Outcome) {
	o.Err = safely(func() (err error) {
		var text bounding
		switch err := Render(&text, result, r.Format); {
		case errors.Is(err, errTooMuch) && r.Format != FormatTable && r.Format != "":
			return fmt.Errorf("the result is larger than %d MiB", MaxOutput>>20)
		case errors.Is(err, errTooMuch):
			text.buf.WriteString("\n" + cutNotice + "\n")
		case err != nil:
			return err
		}
		if o.JSON, err = JSON(result); err != nil {
			return err
		}
		if _, err := r.To.Write(text.buf.Bytes()); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
		return nil
	})
	return o
}

// safely turns a panic of f into an error.
func safely(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}
