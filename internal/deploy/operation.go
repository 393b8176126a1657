package deploy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// pending is a long-running operation of any kind.
type pending interface {
	Name() string
	Done() bool
	Metadata() (*functionspb.OperationMetadata, error)
}

// InterruptedError is the end of waiting for an operation that goes on in Google Cloud.
type InterruptedError struct {
	Operation string // empty if the API had not told the name yet
	Cause     error
}

// Error says that the operation goes on.
func (e *InterruptedError) Error() string {
	if e.Operation == "" {
		return fmt.Sprintf("%v; the request may have been taken, which peerlab functions status tells", e.Cause)
	}
	return fmt.Sprintf("%v; operation %s goes on in Google Cloud, and peerlab functions status tells how it ends", e.Cause, e.Operation)
}

// Unwrap is why the waiting ended.
func (e *InterruptedError) Unwrap() error { return e.Cause }

// FailedError is an operation that ended with an error, with what the API told of it.
type FailedError struct {
	Operation string
	Message   string
	Messages  []string // of the stages
	Log       string   // URL of the build's log, or empty
	cause     error
}

// Error has several lines: the message, those of the stages, and where the log is.
func (e *FailedError) Error() string {
	lines := []string{"operation " + e.Operation + " failed: " + e.Message}
	lines = append(lines, e.Messages...)
	if e.Log != "" && !strings.Contains(e.Message, e.Log) {
		lines = append(lines, "log of the build: "+e.Log)
	}
	return strings.Join(lines, "\n")
}

// Unwrap is the status that the operation ended with.
func (e *FailedError) Unwrap() error { return e.cause }

// started is an error of the call that starts an operation. If the caller was interrupted, nobody knows whether it has.
func started(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &InterruptedError{Cause: context.Cause(ctx)}
	}
	return err
}

// lostPolls is how many questions in a row may stay without an answer, each with its own retries. An operation takes
// minutes, in which a connection may break.
const lostPolls = 5

// wait asks until the operation has ended, and reports what is new each time.
func (d *Deployer) wait(ctx context.Context, op pending, poll func(context.Context) error) error {
	seen := map[string]bool{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	lost, pause := 0, d.options.Poll
	for {
		select {
		case <-ctx.Done():
			return &InterruptedError{Operation: op.Name(), Cause: context.Cause(ctx)}
		case <-timer.C:
		}
		err := poll(ctx)
		metadata, _ := op.Metadata() // none is told before the first answer
		for _, line := range stageLines(metadata) {
			if !seen[line] {
				seen[line] = true
				d.options.Progress(line)
			}
		}
		switch {
		case op.Done() && err != nil:
			return failed(op, metadata, err)
		case op.Done():
			return nil
		case ctx.Err() != nil:
		case err == nil:
			lost = 0
		case transient(err) && lost < lostPolls:
			lost++
			d.options.Progress("no answer about the operation, which goes on; asking again: " + status.Convert(err).Message())
		default:
			return fmt.Errorf("ask about operation %s, which goes on: %w", op.Name(), err)
		}
		timer.Reset(pause)
		pause = min(pause*3/2, 20*d.options.Poll)
	}
}

// transient reports whether a call may be answered when it is repeated.
func transient(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Internal:
		return true
	default:
		return false
	}
}

// stageLines is what metadata tells, a line for each thing.
func stageLines(m *functionspb.OperationMetadata) []string {
	var lines []string
	for _, s := range m.GetStages() {
		name := stageName(s)
		switch s.GetState() {
		case functionspb.Stage_IN_PROGRESS:
			line := name + ": in progress"
			if s.GetMessage() != "" {
				line += ": " + s.GetMessage()
			}
			lines = append(lines, line)
		case functionspb.Stage_COMPLETE:
			lines = append(lines, name+": complete")
		default: // not started
		}
		if s.GetName() == functionspb.Stage_BUILD && s.GetResourceUri() != "" {
			lines = append(lines, name+": log at "+s.GetResourceUri())
		}
		for _, message := range s.GetStateMessages() {
			lines = append(lines, name+": "+stateLine(message))
		}
	}
	if m.GetStatusDetail() != "" {
		lines = append(lines, m.GetStatusDetail())
	}
	return lines
}

// stageName is the name of a stage in small letters, such as "artifact registry".
func stageName(s *functionspb.Stage) string {
	return strings.ReplaceAll(strings.ToLower(s.GetName().String()), "_", " ")
}

// stateLine is a message about a function or a stage on one line.
func stateLine(m *functionspb.StateMessage) string {
	line := strings.ToLower(m.GetSeverity().String())
	if m.GetType() != "" {
		line += " " + m.GetType()
	}
	return line + ": " + strings.Join(strings.Fields(m.GetMessage()), " ")
}

// failed is the error of an operation that has ended with one.
func failed(op pending, m *functionspb.OperationMetadata, err error) error {
	f := &FailedError{Operation: op.Name(), Message: status.Convert(err).Message(), cause: err}
	for _, s := range m.GetStages() {
		for _, message := range s.GetStateMessages() {
			f.Messages = append(f.Messages, stageName(s)+": "+stateLine(message))
		}
		if s.GetName() == functionspb.Stage_BUILD {
			f.Log = s.GetResourceUri()
		}
	}
	return f
}
