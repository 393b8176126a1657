package console

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	consolev1 "peerlab.example/peerlab/proto/peerlab/console/v1"
)

// Limits of one call.
const (
	// maxRemoteLine is the longest line in bytes.
	maxRemoteLine = 64 << 10
	// maxRemoteOutput is how many bytes of output a command may send; the rest is dropped.
	maxRemoteOutput = 1 << 20
	// chunk is the most bytes of output in one message.
	chunk = 32 << 10
)

// Service serves the table of an executor over gRPC, for consoles elsewhere. Commands that act on files or
// the terminal of the one who types are not offered.
type Service struct {
	consolev1.UnimplementedConsoleServiceServer
	exec  *command.Executor
	live  command.Live
	table func() (*command.Table, error) // what is offered
}

// NewService makes the service. The executor's table may be set later, but before the first call.
func NewService(exec *command.Executor, live command.Live) *Service {
	live.Files = nil // the files here are none of the caller's
	return &Service{
		exec: exec, live: live,
		table: sync.OnceValues(func() (*command.Table, error) { return offered(exec.Table) }),
	}
}

// offered is the part of a table that remote callers may use.
func offered(t *command.Table) (*command.Table, error) {
	var specs []app.Spec
	for _, s := range t.Specs() {
		if !s.Local {
			specs = append(specs, *s)
		}
	}
	return command.New(specs...)
}

// Exec runs a line. That it failed is no error of the call.
func (s *Service) Exec(req *consolev1.ExecRequest, stream consolev1.ConsoleService_ExecServer) error {
	if len(req.GetLine()) > maxRemoteLine {
		return status.Errorf(codes.InvalidArgument, "the line is longer than %d bytes", maxRemoteLine)
	}
	format, err := command.ParseFormat(req.GetFormat())
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "format: %v", err)
	}
	ctx := stream.Context()
	var sending sync.Mutex
	send := func(m *consolev1.ExecResponse) error {
		sending.Lock()
		defer sending.Unlock()
		return stream.Send(m)
	}
	result := &streamWriter{send: func(text string) error {
		return send(&consolev1.ExecResponse{Part: &consolev1.ExecResponse_Output{Output: text}})
	}, left: maxRemoteOutput}
	notes := result
	if format != command.FormatTable || req.GetNotesApart() {
		notes = &streamWriter{send: func(text string) error {
			return send(&consolev1.ExecResponse{Part: &consolev1.ExecResponse_Note{Note: text}})
		}, left: maxRemoteOutput}
	}
	o := s.exec.ExecuteAs(ctx, req.GetLine(), &app.Env{Out: notes, Remote: true}, command.Rendering{Format: format, To: result})
	if err := errors.Join(notes.close(), result.close()); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	return stream.Send(&consolev1.ExecResponse{Part: &consolev1.ExecResponse_End{End: endOf(o)}})
}

func endOf(o command.Outcome) *consolev1.ExecEnd {
	end := &consolev1.ExecEnd{ResultJson: strings.ToValidUTF8(o.JSON, "\ufffd"), Usage: o.Usage(), Quit: o.Quit}
	switch {
	case o.Err != nil:
		text := strings.ToValidUTF8(o.Err.Error(), "\ufffd")
		end.Error = cmp.Or(text[:wholeRunes(text[:min(len(text), maxRemoteLine)])], "the command failed")
	case len(end.GetResultJson()) > maxRemoteOutput:
		end.ResultJson = ""
		end.Error = fmt.Sprintf("the result as JSON is longer than %d bytes", maxRemoteOutput)
	}
	return end
}

// Complete offers what could stand at the cursor.
func (s *Service) Complete(_ context.Context, req *consolev1.CompleteRequest) (*consolev1.CompleteResponse, error) {
	if len(req.GetLine()) > maxRemoteLine {
		return nil, status.Errorf(codes.InvalidArgument, "the line is longer than %d bytes", maxRemoteLine)
	}
	t, err := s.table()
	if err != nil {
		return nil, status.Errorf(codes.Internal, "table: %v", err)
	}
	offers, start := complete(t, s.live, req.GetLine(), int(min(req.GetCursor(), maxRemoteLine)))
	out := &consolev1.CompleteResponse{Start: uint32(start)} //nolint:gosec // a position in a line
	for _, o := range offers {
		out.Suggestions = append(out.Suggestions, &consolev1.Suggestion{
			Text: strings.ToValidUTF8(o.Text, "\ufffd"), Description: strings.ToValidUTF8(o.Description, "\ufffd"),
		})
	}
	return out, nil
}

// Commands lists what Exec takes.
func (s *Service) Commands(context.Context, *consolev1.CommandsRequest) (*consolev1.CommandsResponse, error) {
	t, err := s.table()
	if err != nil {
		return nil, status.Errorf(codes.Internal, "table: %v", err)
	}
	out := &consolev1.CommandsResponse{}
	for _, c := range t.Specs() {
		out.Commands = append(out.Commands, &consolev1.Command{
			Name: c.Name, Aliases: c.Aliases, Summary: c.Summary, Synopsis: command.Synopsis(c), Example: c.Example,
			Rest: rest[command.RestOf(c)],
		})
	}
	return out, nil
}

var rest = map[command.Rest]consolev1.Rest{
	command.RestWords: consolev1.Rest_REST_WORDS, command.RestText: consolev1.Rest_REST_TEXT, command.RestRaw: consolev1.Rest_REST_RAW,
}

// streamWriter sends what a command writes, whole lines as soon as they are complete, and no more than a limit.
type streamWriter struct {
	send func(text string) error

	mu   sync.Mutex
	rest []byte // guarded by mu, like all below; the line that has not ended
	left int    // how many bytes may still be sent
	cut  bool   // whether something was dropped
	err  error  // why nothing more can be sent
}

func (w *streamWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	take := p[:min(len(p), w.left)]
	w.left -= len(take)
	w.cut = w.cut || len(take) < len(p)
	w.rest = append(w.rest, take...)
	if end := bytes.LastIndexByte(w.rest, '\n') + 1; end > 0 {
		w.flush(end)
	} else if len(w.rest) >= chunk {
		w.flush(wholeRunes(w.rest))
	}
	return len(p), w.err
}

// flush sends the first n bytes of rest.
func (w *streamWriter) flush(n int) {
	text := w.rest[:n]
	for len(text) > 0 && w.err == nil {
		part := text
		if len(part) > chunk {
			part = text[:wholeRunes(text[:chunk])]
		}
		w.err = w.send(strings.ToValidUTF8(string(part), "\ufffd"))
		text = text[len(part):]
	}
	w.rest = append(w.rest[:0], w.rest[n:]...)
}

// wholeRunes is how much of b can go without tearing its last character apart; never 0.
func wholeRunes[T []byte | string](b T) int {
	for n := len(b); n > 0 && n > len(b)-utf8.UTFMax; n-- {
		if utf8.RuneStart(b[n-1]) {
			if utf8.FullRuneInString(string(b[n-1:])) || n == 1 {
				return len(b)
			}
			return n - 1
		}
	}
	return len(b)
}

// errClosed is for a command that was left to itself, and writes on.
var errClosed = errors.New("the call has ended")

// close sends what is left, and tells that something was dropped. Nothing is sent after it.
func (w *streamWriter) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(w.err, errClosed) {
		return nil
	}
	if w.cut {
		w.rest = append(w.rest, "\n… the rest of the output is not shown: it is more than 1 MiB\n"...)
	}
	if w.err == nil {
		w.flush(len(w.rest))
	}
	err := w.err
	w.err = errClosed
	return err
}
