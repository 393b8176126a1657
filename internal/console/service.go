package console

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/grpc"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	consolev1 "peerlab.example/peerlab/proto/peerlab/console/v1"
)

// maxOutput is how much one command may write to a remote caller, in bytes: as much as anybody reads.
const maxOutput = 1 << 20

// NewService serves the table of x to remote callers. The table may still be empty; it must be set
// before the first call.
func NewService(x *command.Executor, live command.Live) consolev1.ConsoleServiceServer {
	live.Files = nil // those of the peer's machine are no business of a remote caller
	return &service{executor: x, live: live}
}

type service struct {
	consolev1.UnimplementedConsoleServiceServer
	executor *command.Executor
	live     command.Live
}

// Exec runs one line. It ends with an ExecEnd, whatever became of the command.
func (s *service) Exec(req *consolev1.ExecRequest, stream grpc.ServerStreamingServer[consolev1.ExecResponse]) error {
	out := &chunks{stream: stream}
	o := s.executor.Execute(stream.Context(), req.GetLine(), &app.Env{Out: out, Remote: true})
	if err := out.finish(); err != nil {
		return err
	}
	end := &consolev1.ExecEnd{ResultJson: o.JSON, Usage: o.Usage(), Quit: o.Quit}
	if o.Err != nil {
		end.Error = o.Err.Error()
	}
	return stream.Send(&consolev1.ExecResponse{Part: &consolev1.ExecResponse_End{End: end}})
}

// Complete offers what could stand at the cursor.
func (s *service) Complete(_ context.Context, req *consolev1.CompleteRequest) (*consolev1.CompleteResponse, error) {
	offers, start := s.executor.Table.Complete(req.GetLine(), int(req.GetCursor()), s.live)
	resp := &consolev1.CompleteResponse{Start: uint32(start)} //nolint:gosec // an offset in a line
	for _, o := range offers {
		resp.Suggestions = append(resp.Suggestions, &consolev1.Suggestion{Text: o.Text, Description: o.Description})
	}
	return resp, nil
}

// Commands lists the table.
func (s *service) Commands(context.Context, *consolev1.CommandsRequest) (*consolev1.CommandsResponse, error) {
	resp := &consolev1.CommandsResponse{}
	for _, c := range s.executor.Table.Specs() {
		resp.Commands = append(resp.Commands, &consolev1.Command{
			Name: c.Name, Aliases: c.Aliases, Summary: c.Summary, Synopsis: command.Synopsis(c), Example: c.Example,
		})
	}
	return resp, nil
}

// chunks sends what is written, up to maxOutput.
type chunks struct {
	stream grpc.ServerStreamingServer[consolev1.ExecResponse]

	mu   sync.Mutex
	sent int // guarded by mu
	cut  int // guarded by mu; bytes left out
}

// Write may be called from several goroutines.
func (c *chunks) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(b), maxOutput-c.sent)
	c.cut += len(b) - n
	if n == 0 {
		return len(b), nil
	}
	c.sent += n
	return len(b), c.send(string(b[:n]))
}

func (c *chunks) send(s string) error {
	return c.stream.Send(&consolev1.ExecResponse{Part: &consolev1.ExecResponse_Output{Output: s}})
}

// finish says how much was left out.
func (c *chunks) finish() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut == 0 {
		return nil
	}
	return c.send(fmt.Sprintf("\n… %d more bytes of output were cut\n", c.cut))
}
