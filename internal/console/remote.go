package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	consolev1 "peerlab.example/peerlab/proto/peerlab/console/v1"
)

// completeTimeout is how long a key may wait for the peer's offers: what feels immediate is 100 ms
// (Miller 1968); a peer that needs longer offers nothing.
const completeTimeout = 200 * time.Millisecond

// NewRemote is the backend of a peer elsewhere. The end of ctx cancels the command there. The quit of
// a remote console ends the console, not the peer.
func NewRemote(c consolev1.ConsoleServiceClient) Backend { return remote{c} }

type remote struct {
	client consolev1.ConsoleServiceClient
}

func (r remote) Execute(ctx context.Context, line string, out io.Writer) command.Outcome {
	stream, err := r.client.Exec(ctx, &consolev1.ExecRequest{Line: line})
	if err != nil {
		return command.Outcome{Err: plain(err)}
	}
	for {
		resp, err := stream.Recv()
		if err != nil {
			return command.Outcome{Err: plain(err)}
		}
		if end := resp.GetEnd(); end != nil {
			return outcome(end)
		}
		if _, err := io.WriteString(out, cleanLines(resp.GetOutput())); err != nil {
			return command.Outcome{Err: fmt.Errorf("write output: %w", err)}
		}
	}
}

func outcome(end *consolev1.ExecEnd) command.Outcome {
	o := command.Outcome{JSON: end.GetResultJson(), Quit: end.GetQuit()}
	switch msg := command.Clean(end.GetError()); {
	case msg == "":
	case end.GetUsage():
		o.Err = &command.UsageError{Col: 1, Msg: msg}
	default:
		o.Err = errors.New(msg)
	}
	return o
}

// cleanLines cleans the output of a peer that may not be what it says, line by line.
func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = command.Clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// plain is an error of gRPC in the words of the other side.
func plain(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the peer ended the command without an answer")
	}
	s := status.Convert(err)
	return fmt.Errorf("%s: %s", strings.ToLower(s.Code().String()), command.Clean(s.Message()))
}

func (r remote) Complete(ctx context.Context, line string, cursor int) ([]app.Suggestion, int) {
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	resp, err := r.client.Complete(ctx, &consolev1.CompleteRequest{Line: line, Cursor: uint32(cursor)}) //nolint:gosec // an offset in a line
	if err != nil {
		return nil, cursor
	}
	offers := make([]app.Suggestion, 0, len(resp.GetSuggestions()))
	for _, s := range resp.GetSuggestions() {
		offers = append(offers, app.Suggestion{Text: command.Clean(s.GetText()), Description: command.Clean(s.GetDescription())})
	}
	return offers, min(int(resp.GetStart()), cursor)
}
