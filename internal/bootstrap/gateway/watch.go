package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// watch is the stream of a Watch: lines of one answer, or polls where the service does not stream. As with any
// stream of gRPC, one goroutine sends and one receives, and the end of ctx frees what it holds.
type watch struct {
	conn *Conn
	ctx  context.Context
	req  *bootstrapv1.WatchRequest

	lines  *bufio.Reader      // of the answer, once there is one
	cancel context.CancelFunc // ends that answer

	polling bool
	polled  bool   // whether a poll was answered
	known   uint64 // the revision of that answer
}

// SendMsg takes the request.
func (w *watch) SendMsg(m any) error {
	req, ok := m.(*bootstrapv1.WatchRequest)
	if !ok {
		return status.Errorf(codes.Internal, "a watch begins with a WatchRequest, not with %T", m)
	}
	w.req = req
	return nil
}

// RecvMsg waits for the next roster. After an error the watch is over.
func (w *watch) RecvMsg(m any) error {
	err := w.receive(m)
	if err != nil && w.cancel != nil {
		w.cancel()
	}
	return err
}

func (w *watch) receive(m any) error {
	out, ok := m.(*bootstrapv1.WatchResponse)
	if !ok || w.req == nil {
		return status.Errorf(codes.Internal, "a watch was asked for %T", m)
	}
	if w.lines == nil && !w.polling {
		err := w.begin(out)
		if !w.polling {
			return err
		}
	}
	if w.polling {
		return w.poll(out)
	}
	return w.next(out)
}

// begin opens the stream and reads its first line, or finds that polling is the way.
func (w *watch) begin(out *bootstrapv1.WatchResponse) error {
	ctx, cancel := context.WithCancel(w.ctx)
	w.cancel = cancel
	// Whoever streams sends the first roster at once. What sends nothing holds it back until the answer ends, which
	// is never.
	late := time.AfterFunc(w.conn.o.FirstAnswer, cancel)
	resp, err := w.conn.send(ctx, bootstrapv1.BootstrapService_Watch_FullMethodName, w.req) //nolint:bodyclose // the end of ctx closes it
	if err == nil {
		w.lines = bufio.NewReader(resp.Body)
		err = w.next(out)
	}
	if !late.Stop() && w.ctx.Err() == nil || status.Code(err) == codes.Unimplemented {
		cancel()
		w.lines, w.polling = nil, true
		return nil
	}
	return err
}

// next reads one line.
func (w *watch) next(out *bootstrapv1.WatchResponse) error {
	line, err := readLine(w.lines)
	if err != nil {
		if errors.Is(err, io.EOF) {
			// A stream of the service ends with an error that says why.
			err = errors.New("the stream broke off")
		}
		return w.conn.failed(w.ctx, err)
	}
	var l struct {
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return w.strange(err)
	}
	if l.Error != nil {
		if err := decodeError(l.Error); err != nil {
			return err
		}
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(l.Result, out); err != nil {
		return w.strange(err)
	}
	return nil
}

func (w *watch) strange(err error) error {
	return status.Errorf(codes.Internal, "%s streams something else than JSON of a bootstrap service: %s", w.conn.base, plain(err))
}

// readLine is the next line, which may be as long as an answer.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxAnswer {
			return nil, fmt.Errorf("a line of more than %d bytes", maxAnswer)
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// poll asks until the roster is another one.
func (w *watch) poll(out *bootstrapv1.WatchResponse) error {
	for {
		if w.polled { // the first poll answers at once
			every := w.conn.o.PollInterval
			pause := time.NewTimer(every - rand.N(every/5+1))
			select {
			case <-pause.C:
			case <-w.ctx.Done():
				pause.Stop()
				return status.FromContextError(w.ctx.Err()).Err()
			}
		}
		req := &bootstrapv1.ListRequest{Group: w.req.GetGroup(), KnownRevision: w.known}
		resp := &bootstrapv1.ListResponse{}
		if err := w.conn.Invoke(w.ctx, bootstrapv1.BootstrapService_List_FullMethodName, req, resp); err != nil {
			return err
		}
		// A service that does not know known_revision answers with what the watcher has.
		if r := resp.GetRoster(); r != nil && (!w.polled || r.GetRevision() != w.known) {
			w.polled, w.known = true, r.GetRevision()
			out.Roster = r
			return nil
		}
	}
}

// CloseSend says that no more is sent, which is so after the request.
func (*watch) CloseSend() error { return nil }

// Header is empty: HTTP headers are not passed on.
func (*watch) Header() (metadata.MD, error) { return metadata.MD{}, nil }

// Trailer is empty too.
func (*watch) Trailer() metadata.MD { return metadata.MD{} }

// Context is that of the call.
func (w *watch) Context() context.Context { return w.ctx }
