package testcoord

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
	"peerlab.example/peerlab/internal/event"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// Limits of the agent.
const (
	// batch is how many events go into one message.
	batch = 256
	// farewell bounds how long the agent waits for the coordinator to take its last words.
	farewell = 2 * time.Second
)

// Attach takes part in a run until the coordinator says that it is over, a command asks to quit (quit is
// true then), ctx ends, or the coordinator is lost; only the last two are errors. In each case the
// peer should leave and end. Commands run concurrently, each in a goroutine of its own; all of
// them have ended when Attach returns. When the coordinator has taken the peer in, attached is called, if it is given;
// when it does not want the peer, the error is a RefusedError.
func Attach(ctx context.Context, client testcoordv1.CoordinatorServiceClient, hello *testcoordv1.Hello,
	exec *command.Executor, log *event.Log, attached ...func(),
) (quit bool, err error) {
	streamCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Attach(streamCtx)
	if err != nil {
		return false, fmt.Errorf("attach to the coordinator: %w", err)
	}
	a := &agent{
		stream: stream, exec: exec, log: log, cancels: map[uint64]context.CancelFunc{}, quit: make(chan struct{}), finished: make(chan struct{}),
	}
	a.send(&testcoordv1.AttachRequest{What: &testcoordv1.AttachRequest_Hello{Hello: hello}})
	if err := a.admitted(ctx); err != nil {
		return false, err
	}
	for _, tell := range attached {
		tell()
	}
	err = a.serve(ctx, cancel)
	select {
	case <-a.quit:
		return true, nil
	default:
		return false, err
	}
}

type agent struct {
	stream testcoordv1.CoordinatorService_AttachClient
	exec   *command.Executor
	log    *event.Log

	sending  sync.Mutex // one Send at a time
	running  sync.WaitGroup
	finished chan struct{} // closed when no command runs any more
	quit     chan struct{} // closed when a command asked to end
	once     sync.Once     // closes quit

	mu       sync.Mutex
	stopping bool                          // guarded by mu; no command is started any more
	cancels  map[uint64]context.CancelFunc // guarded by mu; of the commands that run
}

// RefusedError says that the coordinator does not want this peer: its suite has none of that name, or it has that
// already, or does not wait for it now. It unwraps to the status of the call.
type RefusedError struct{ err error }

// Error is the coordinator's reason.
func (e *RefusedError) Error() string { return "refused: " + status.Convert(e.err).Message() }

// Unwrap is the status.
func (e *RefusedError) Unwrap() error { return e.err }

// admitted waits until the coordinator has taken the peer in, which it tells with the header of the stream.
func (a *agent) admitted(ctx context.Context) error {
	md, err := a.stream.Header()
	if md != nil && err == nil {
		return nil
	}
	_, err = a.stream.Recv() // the status of a stream that has no header
	switch status.Code(err) {
	case codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition, codes.InvalidArgument:
		return &RefusedError{err}
	}
	return cmp.Or(context.Cause(ctx), fmt.Errorf("attach to the coordinator: %w", err))
}

// serve receives until the run is over for this peer. giveUp ends the stream.
func (a *agent) serve(ctx context.Context, giveUp context.CancelFunc) error {
	work, stop := context.WithCancel(ctx)
	defer stop()
	pumped := make(chan struct{})
	go func() {
		defer close(pumped)
		a.pump(work)
	}()
	over := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		over <- a.receive(work)
		for { // nothing more is expected but the end of the stream
			if _, err := a.stream.Recv(); err != nil {
				return
			}
		}
	}()
	var err error
	select {
	case err = <-over:
	case <-a.quit:
	}
	bound := time.AfterFunc(farewell, giveUp)
	defer bound.Stop()
	stop()
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	a.running.Wait()
	close(a.finished)
	<-pumped // it has sent all events of the commands
	if err == nil {
		a.sending.Lock()
		err = a.stream.CloseSend()
		a.sending.Unlock()
	} else {
		giveUp()
	}
	<-ended
	return err
}

// receive does what the coordinator says until it says End; that is no error.
func (a *agent) receive(ctx context.Context) error {
	for {
		m, err := a.stream.Recv()
		switch {
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return errors.New("the coordinator ended the stream")
		case err != nil:
			return fmt.Errorf("stream to the coordinator: %w", err)
		case m.GetEnd() != nil:
			return nil
		case m.GetRun() != nil:
			a.run(ctx, m.GetRun())
		case m.GetCancel() != nil:
			a.cancel(m.GetCancel().GetStep())
		}
	}
}

// run starts a command.
func (a *agent) run(ctx context.Context, r *testcoordv1.Run) {
	life := ctx
	ctx, cancel := context.WithCancel(ctx)
	step := r.GetStep()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		cancel()
		return
	}
	a.cancels[step] = cancel
	a.running.Go(func() {
		defer cancel()
		o := a.execute(ctx, r)
		a.mu.Lock()
		delete(a.cancels, step)
		a.mu.Unlock()
		if life.Err() != nil && o.Err != nil {
			return // the peer ends, and not the command failed: the end of the stream says so
		}
		done := &testcoordv1.Done{Step: step, ResultJson: o.JSON, Usage: o.Usage(), Quit: o.Quit, EventSeq: a.log.Last()}
		if o.Err != nil {
			done.Error = cmp.Or(o.Err.Error(), "the command failed")
		}
		a.send(&testcoordv1.AttachRequest{What: &testcoordv1.AttachRequest_Done{Done: done}})
		if o.Quit {
			a.once.Do(func() { close(a.quit) })
		}
	})
}

func (a *agent) execute(ctx context.Context, r *testcoordv1.Run) command.Outcome {
	if r.GetQuiet() {
		return a.exec.ExecuteAs(ctx, r.GetLine(), &app.Env{Out: io.Discard, Remote: true}, command.Rendering{Quiet: true})
	}
	return a.exec.Execute(ctx, r.GetLine(), &app.Env{Out: output{a, r.GetStep()}, Remote: true})
}

func (a *agent) cancel(step uint64) {
	a.mu.Lock()
	cancel := a.cancels[step]
	a.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// pump sends the event log as it grows. When ctx has ended it waits for the commands and sends the rest.
func (a *agent) pump(ctx context.Context) {
	r := a.log.Read(0)
	for {
		e, missed, err := r.Next(ctx)
		if err != nil {
			<-a.finished
			if e, missed = r.Try(); e == nil {
				return
			}
		}
		m := &testcoordv1.Events{Missed: missed, Events: []*eventv1.Event{e}}
		for len(m.GetEvents()) < batch {
			if e, missed = r.Try(); e == nil {
				break
			}
			if missed > 0 {
				a.sendEvents(m)
				m = &testcoordv1.Events{Missed: missed}
			}
			m.Events = append(m.Events, e)
		}
		a.sendEvents(m)
	}
}

func (a *agent) sendEvents(m *testcoordv1.Events) {
	a.send(&testcoordv1.AttachRequest{What: &testcoordv1.AttachRequest_Events{Events: m}})
}

// send sends a message. The error of a stream that ended is the receiver's to report.
func (a *agent) send(m *testcoordv1.AttachRequest) {
	a.sending.Lock()
	defer a.sending.Unlock()
	_ = a.stream.Send(m)
}

// output is what a command writes to.
type output struct {
	agent *agent
	step  uint64
}

// chunk is the most that one message carries, far below gRPC's limit of 4 MiB.
const chunk = 256 << 10

func (o output) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		part := rest[:min(chunk, len(rest))]
		rest = rest[len(part):]
		o.agent.send(&testcoordv1.AttachRequest{What: &testcoordv1.AttachRequest_Output{
			Output: &testcoordv1.Output{Step: o.step, Text: strings.ToValidUTF8(string(part), "\ufffd")},
		}})
	}
	return len(b), nil
}
