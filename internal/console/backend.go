package console

import (
	"context"
	"io"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// Backend executes and completes lines.
type Backend interface {
	// Execute runs one line and writes its output to out. It returns when the command has ended, also
	// when ctx ends before that.
	Execute(ctx context.Context, line string, out io.Writer) command.Outcome
	// Complete offers what could stand at the cursor, a byte offset in line, and says where the word to
	// be replaced begins. It answers soon, with nothing if need be.
	Complete(ctx context.Context, line string, cursor int) (offers []app.Suggestion, start int)
}

// NewLocal is the backend of the peer in this process.
func NewLocal(x *command.Executor, live command.Live) Backend { return local{x, live} }

type local struct {
	executor *command.Executor
	live     command.Live
}

func (l local) Execute(ctx context.Context, line string, out io.Writer) command.Outcome {
	return l.executor.Execute(ctx, line, &app.Env{Out: out})
}

func (l local) Complete(_ context.Context, line string, cursor int) ([]app.Suggestion, int) {
	return l.executor.Table.Complete(line, cursor, l.live)
}
