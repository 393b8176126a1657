package console

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
	consolev1 "peerlab.example/peerlab/proto/peerlab/console/v1"
)

// Limits of completion over gRPC: a key press must not be felt.
const (
	completeTimeout = 300 * time.Millisecond
	// completeKeep is how long an answer is used again; the prompt asks twice per key.
	completeKeep = time.Second
	// completePause is how long nothing is asked after a peer did not answer.
	completePause = 2 * time.Second
)

// Remote is the Engine of a peer that runs elsewhere. Commands that belong to the one who types (quit,
// history, set, execute …) run here, so that quit works when the peer is gone and a script is a file here.
type Remote struct {
	client consolev1.ConsoleServiceClient
	here   *Local

	asking sync.Mutex     // held while the table is asked for
	there  *command.Table // guarded by asking; the names of the peer's commands, nil before they are known

	mu     sync.Mutex
	line   string           // guarded by mu, like all below: the last question
	cursor int              // of the last question
	offers []app.Suggestion // the last answer
	start  int              // of the last answer
	until  time.Time        // when the last answer is too old
	pause  time.Time        // until when nothing is asked
}

// NewRemote makes an Engine of a client. The caller keeps the connection.
func NewRemote(client consolev1.ConsoleServiceClient) *Remote {
	r := &Remote{client: client}
	table, err := command.New(session()...)
	if err != nil {
		panic(err) // the specs are constants of this package
	}
	r.here = NewLocal(&command.Executor{Table: table}, command.Live{})
	return r
}

// isHere reports whether the line is a command of this side.
func (r *Remote) isHere(line string) bool {
	words, err := command.Split(line)
	if err != nil {
		return false
	}
	spec, _ := r.here.exec.Table.Find(words)
	return spec != nil
}

// ExecuteAs runs one command at the peer. When ctx ends, so does the command there.
func (r *Remote) ExecuteAs(ctx context.Context, line string, notes io.Writer, as command.Rendering) command.Outcome {
	if r.isHere(line) {
		return r.here.ExecuteAs(ctx, line, notes, as)
	}
	if as.To == nil {
		as.To = notes
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := r.client.Exec(ctx, &consolev1.ExecRequest{Line: line, Format: string(as.Format), NotesApart: true})
	if err != nil {
		return command.Outcome{Err: callError(ctx, err)}
	}
	for got := 0; ; {
		m, err := stream.Recv()
		if err != nil {
			return command.Outcome{Err: callError(ctx, err)}
		}
		switch part := m.GetPart().(type) {
		case *consolev1.ExecResponse_End:
			return outcome(part.End)
		case *consolev1.ExecResponse_Output:
			_, err = io.WriteString(as.To, cleanLines(part.Output))
		case *consolev1.ExecResponse_Note:
			_, err = io.WriteString(notes, cleanLines(part.Note))
		}
		if got += len(m.GetOutput()) + len(m.GetNote()); err == nil && got > maxReceived {
			err = errTalkative
		}
		if err != nil {
			return command.Outcome{Err: fmt.Errorf("write the output: %w", err)}
		}
	}
}

// Free knows the commands of both sides, once the peer has told of its own.
func (r *Remote) Free(words []command.Word) (from int, rest command.Rest, known bool) {
	return command.Free(words, r.here.exec.Table, r.commands())
}

// Near looks for commands of both sides.
func (r *Remote) Near(word string) string {
	return cmp.Or(r.here.Near(word), r.commands().Near(word))
}

// maxReceived is how much a peer may send for one command. One that keeps to the protocol sends half of it at most: results
// and progress, with what is said when they are cut.
const maxReceived = 4 * maxRemoteOutput

var errTalkative = errors.New("the peer sends more than it may")

// cleanLines takes control characters out, and leaves the ends of lines.
func cleanLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = command.Clean(line)
	}
	return strings.Join(lines, "\n")
}

// Ready asks the peer for its commands, unless the line is for this side.
func (r *Remote) Ready(ctx context.Context, words []command.Word) error {
	if spec, _ := r.here.exec.Table.Find(words); spec != nil && !runsAnother(spec) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	_, err := r.theirs(ctx)
	return err
}

// runsAnother reports whether a command of this side runs one that may be the peer's.
func runsAnother(s *app.Spec) bool {
	return len(s.Params) > 0 && s.Params[len(s.Params)-1].Kind == app.Line
}

// readyTimeout bounds how long a line waits for the names of the peer's commands.
const readyTimeout = 10 * time.Second

// commands are the names of the peer's commands, and what they take; none while they are not known. It answers soon.
func (r *Remote) commands() *command.Table {
	ctx, cancel := context.WithTimeout(context.Background(), completeTimeout)
	defer cancel()
	t, err := r.theirs(ctx)
	if err != nil {
		return &command.Table{}
	}
	return t
}

// theirs asks for the names once; a peer that did not answer is asked again the next time.
func (r *Remote) theirs(ctx context.Context) (*command.Table, error) {
	r.asking.Lock()
	defer r.asking.Unlock()
	if r.there != nil {
		return r.there, nil
	}
	a, err := r.client.Commands(ctx, &consolev1.CommandsRequest{})
	if err != nil {
		return nil, callError(ctx, err)
	}
	table := &command.Table{}
	var specs []app.Spec
	for _, c := range a.GetCommands() {
		// One that is not understood, as of another version, is left out, and not all of them.
		if t, err := command.New(append(specs[:len(specs):len(specs)], specOf(c))...); err == nil {
			table, specs = t, append(specs, specOf(c))
		}
	}
	r.there = table
	return table, nil
}

// specOf is a command of the peer as far as this side must know it.
func specOf(c *consolev1.Command) app.Spec {
	s := app.Spec{
		Name: c.GetName(), Aliases: c.GetAliases(), Summary: c.GetSummary(), Example: c.GetExample(),
		Run: func(context.Context, *app.Env, app.Args) (any, error) { return nil, errNoSession }, // it runs there
	}
	switch c.GetRest() {
	case consolev1.Rest_REST_TEXT:
		s.Params = []app.Param{{Name: "text", Kind: app.Text, Optional: true, Repeated: true}}
	case consolev1.Rest_REST_RAW:
		s.Params = []app.Param{{Name: "text", Kind: app.Raw, Optional: true}}
	case consolev1.Rest_REST_WORDS, consolev1.Rest_REST_UNSPECIFIED:
	}
	return s
}

func outcome(end *consolev1.ExecEnd) command.Outcome {
	o := command.Outcome{JSON: end.GetResultJson(), Quit: end.GetQuit()}
	switch msg := command.Clean(end.GetError()); {
	case msg == "":
	case end.GetUsage():
		o.Err = &command.UsageError{Msg: msg}
	default:
		o.Err = errors.New(msg)
	}
	return o
}

// callError says in a user's words why a call failed.
func callError(ctx context.Context, err error) error {
	switch s := status.Convert(err); {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF), s.Code() == codes.Unavailable:
		return errors.New("the peer is gone, or cannot be reached: " + reason(s.Message()))
	default:
		return errors.New(command.Clean(s.Message()))
	}
}

// reason is what a connection says is wrong, without what gRPC puts around it.
func reason(msg string) string {
	if _, inner, ok := strings.Cut(msg, "Error while dialing: "); ok {
		msg = strings.TrimSuffix(inner, `"`)
	}
	return command.Clean(msg)
}

// Complete asks the peer, and waits for 300 ms at most. A peer that did not answer is left
// alone for 2 s.
func (r *Remote) Complete(ctx context.Context, line string, cursor int) ([]app.Suggestion, int) {
	if inner, ok := r.here.exec.Table.Inner(line, cursor); ok {
		offers, start := r.Complete(ctx, line[inner:], cursor-inner)
		return offers, inner + start
	}
	offers, start := r.here.Complete(ctx, line, cursor)
	if r.isHere(line) {
		return offers, start
	}
	theirs, at := r.ask(ctx, line, cursor)
	switch {
	case len(theirs) == 0:
		return offers, start
	case len(offers) == 0 || at != start:
		return theirs, at
	}
	return merge(offers, theirs), start
}

func (r *Remote) ask(ctx context.Context, line string, cursor int) ([]app.Suggestion, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if line == r.line && cursor == r.cursor && now.Before(r.until) {
		return r.offers, r.start
	}
	if now.Before(r.pause) {
		return nil, cursor
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	a, err := r.client.Complete(ctx, &consolev1.CompleteRequest{Line: line, Cursor: uint32(cursor)}) //nolint:gosec // a position in a line
	if err != nil {
		r.pause = now.Add(completePause)
		return nil, cursor
	}
	r.line, r.cursor, r.until = line, cursor, now.Add(completeKeep)
	r.start = min(int(a.GetStart()), cursor)
	r.offers = nil
	for _, s := range a.GetSuggestions() {
		if text := command.Clean(s.GetText()); text == s.GetText() {
			r.offers = append(r.offers, app.Suggestion{Text: text, Description: command.Clean(s.GetDescription())})
		}
	}
	return r.offers, r.start
}

// merge puts the offers of both sides into the order of their texts; ours win.
func merge(ours, theirs []app.Suggestion) []app.Suggestion {
	out := make([]app.Suggestion, 0, len(ours)+len(theirs))
	for len(ours) > 0 || len(theirs) > 0 {
		switch {
		case len(theirs) == 0 || len(ours) > 0 && ours[0].Text < theirs[0].Text:
			out, ours = append(out, ours[0]), ours[1:]
		case len(ours) == 0 || theirs[0].Text < ours[0].Text:
			out, theirs = append(out, theirs[0]), theirs[1:]
		default:
			out, ours, theirs = append(out, ours[0]), ours[1:], theirs[1:]
		}
	}
	return out
}
