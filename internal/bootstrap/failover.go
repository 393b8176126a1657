package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Endpoint is one of several replicas of the service.
type Endpoint struct {
	Name string // for messages
	Conn grpc.ClientConnInterface
}

// Failover returns a connection over replicas of one service. A call goes to the replica that answered
// last, at first to the first; when that is UNAVAILABLE, or silent for its share of the time that is left, the
// call goes to the next one, each once. Any other error is the answer. A Watch that breaks is begun again by its
// caller, and then goes to the next replica too.
func Failover(endpoints ...Endpoint) grpc.ClientConnInterface {
	if len(endpoints) == 1 {
		return endpoints[0].Conn
	}
	return &failover{endpoints: endpoints}
}

type failover struct {
	endpoints []Endpoint
	preferred atomic.Int64
}

// Invoke is that of grpc.ClientConnInterface.
func (f *failover) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return f.each(ctx, func(e Endpoint, left int) error {
		ctx, cancel := share(ctx, left)
		defer cancel()
		return e.Conn.Invoke(ctx, method, args, reply, opts...)
	})
}

// NewStream is that of grpc.ClientConnInterface.
func (f *failover) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	var out grpc.ClientStream
	err := f.each(ctx, func(e Endpoint, _ int) error {
		stream, err := e.Conn.NewStream(ctx, desc, method, opts...)
		out = watched{ClientStream: stream, broke: func() { f.moveOn(e) }}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// each tries the endpoints in turn; left is how many there are still, with this one.
func (f *failover) each(ctx context.Context, try func(e Endpoint, left int) error) error {
	n := len(f.endpoints)
	first := int(f.preferred.Load())
	var failures []string
	said := false // whether one of them told why it does not answer
	for i := range n {
		at := (first + i) % n
		e := f.endpoints[at]
		left := n - i
		err := try(e, left)
		// The last one has had all the time that is left. When that is up, what others have told is worth more.
		over := ctx.Err() != nil || left == 1 && status.Code(err) == codes.DeadlineExceeded
		if !elsewhere(err) || over && (!said || errors.Is(ctx.Err(), context.Canceled)) {
			if i > 0 && ctx.Err() == nil {
				f.preferred.Store(int64(at))
			}
			return err
		}
		said = said || status.Code(err) == codes.Unavailable
		failures = append(failures, fmt.Sprintf("%s: %s", e.Name, status.Convert(err).Message()))
	}
	return status.Error(codes.Unavailable, "no bootstrap service answers: "+strings.Join(failures, "; "))
}

// elsewhere reports whether another replica may answer what this one did not. The caller has made
// sure that the call's own time is not over.
func elsewhere(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return true
	}
	return false
}

// share is the part of the time left that the first of so many tries may take.
func share(ctx context.Context, left int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || left <= 1 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
}

// moveOn prefers the endpoint after e, if e is the preferred one.
func (f *failover) moveOn(e Endpoint) {
	at := f.preferred.Load()
	if f.endpoints[at].Conn == e.Conn {
		f.preferred.CompareAndSwap(at, (at+1)%int64(len(f.endpoints)))
	}
}

// watched is a stream that says when its endpoint failed.
type watched struct {
	grpc.ClientStream
	broke func()
}

// RecvMsg is that of grpc.ClientStream.
func (s watched) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil && s.Context().Err() == nil && elsewhere(err) {
		s.broke()
	}
	return err
}
