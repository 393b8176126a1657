package node

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// Observer is told what a server does, for metrics. Its methods must not block, and are called from
// any goroutine. A method is named as gRPC does, "/package.Service/Method"; all that the server does not know
// are UnknownMethod, so that callers cannot invent names.
type Observer interface {
	// CallEnded is told of each call but streams.
	CallEnded(method string, code codes.Code, took time.Duration)
	// StreamOpened and StreamEnded are told of each stream.
	StreamOpened(method string)
	StreamEnded(method string, code codes.Code)
	// LimitHit is told of each call that a limit refused; a limit has the name of its setting.
	LimitHit(limit string)
}

// UnknownMethod is how an Observer is told of calls of methods that are not there.
const UnknownMethod = "(unknown)"

// noObserver stands where none is given.
type noObserver struct{}

func (noObserver) CallEnded(string, codes.Code, time.Duration) {}
func (noObserver) StreamOpened(string)                         {}
func (noObserver) StreamEnded(string, codes.Code)              {}
func (noObserver) LimitHit(string)                             {}

// observation tells an Observer what gRPC counts. It sees all calls, also those that gRPC refuses before any
// interceptor.
type observation struct {
	to    Observer
	known func() map[string]bool // the methods of the server
}

type callKey struct{}

// call is one that is observed; gRPC tells of it from one goroutine after the other.
type call struct {
	method   string
	stream   bool
	received bool // its message has come through
}

// received notes that the message of an observed call has come through.
func received(ctx context.Context) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.received = true
	}
}

// TagRPC is that of stats.Handler, as are the methods below.
func (o observation) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	c := &call{method: info.FullMethodName}
	if !o.known()[c.method] {
		c.method = UnknownMethod
	}
	return context.WithValue(ctx, callKey{}, c)
}

// HandleRPC tells of beginnings and ends.
func (o observation) HandleRPC(ctx context.Context, s stats.RPCStats) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return
	}
	switch s := s.(type) {
	case *stats.Begin:
		// To gRPC, all that it does not know are streams.
		if c.method != UnknownMethod && (s.IsClientStream || s.IsServerStream) {
			c.stream = true
			o.to.StreamOpened(c.method)
		}
	case *stats.End:
		if c.stream {
			o.to.StreamEnded(c.method, status.Code(s.Error))
			return
		}
		if !c.received && status.Code(s.Error) == codes.ResourceExhausted {
			o.to.LimitHit(limitRequestBytes) // gRPC itself refused to read so much
		}
		o.to.CallEnded(c.method, status.Code(s.Error), s.EndTime.Sub(s.BeginTime))
	}
}

// TagConn changes nothing.
func (observation) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (observation) HandleConn(context.Context, stats.ConnStats) {}

// methods are the names of all methods that are registered.
func (s *Server) methods() map[string]bool {
	out := map[string]bool{}
	for service, info := range s.GetServiceInfo() {
		for _, m := range info.Methods {
			out["/"+service+"/"+m.Name] = true
		}
	}
	return out
}
