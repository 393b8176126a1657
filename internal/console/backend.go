package console

import (
	"context"
	"io"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// Backend is what a prompt or a script talks to: a Session. It may be used from several goroutines at once.
type Backend interface {
	// Execute runs one line. Progress and the result are written to out while it runs. It
	// returns soon after ctx has ended.
	Execute(ctx context.Context, line string, out io.Writer) command.Outcome
	// Complete offers what could stand at the cursor, a byte offset in line, and says where
	// the word to be replaced begins. It answers at once, or with nothing.
	Complete(ctx context.Context, line string, cursor int) (offers []app.Suggestion, start int)
}

// Local is the Engine of the peer in this process.
type Local struct {
	exec *command.Executor
	live command.Live
}

// NewLocal makes an Engine of an executor. Its table may be set later, but before the first line.
// Paths are completed from the working directory unless live does that already.
func NewLocal(exec *command.Executor, live command.Live) *Local {
	if live.Files == nil {
		live.Files = completeFiles
	}
	return &Local{exec: exec, live: live}
}

// ExecuteAs runs one command as typed at the peer's own console.
func (l *Local) ExecuteAs(ctx context.Context, line string, notes io.Writer, r command.Rendering) command.Outcome {
	return l.exec.ExecuteAs(ctx, line, &app.Env{Out: notes}, r)
}

// Ready is always so.
func (l *Local) Ready(context.Context, []command.Word) error { return nil }

// Free asks the table.
func (l *Local) Free(words []command.Word) (from int, rest command.Rest, known bool) {
	return command.Free(words, l.exec.Table)
}

// Near asks the table.
func (l *Local) Near(word string) string { return l.exec.Table.Near(word) }

// Complete asks the table, which waits for no completer of an application for long. Completion that panics offers nothing: a key
// press must not end a peer.
func (l *Local) Complete(_ context.Context, line string, cursor int) (offers []app.Suggestion, start int) {
	return complete(l.exec.Table, l.live, line, cursor)
}

func complete(t *command.Table, live command.Live, line string, cursor int) (offers []app.Suggestion, start int) {
	defer func() {
		if recover() != nil {
			offers, start = nil, cursor
		}
	}()
	return t.Complete(line, cursor, live)
}
