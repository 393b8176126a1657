package node

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// Every call passes the rate first, so that tokens cannot be guessed at speed, then the question who
// may call, and then the size of what is sent. Health answers everybody. A call through Local has passed the rate as a
// request, by Admit.

func isHealth(method string) bool {
	return strings.HasPrefix(method, "/"+grpc_health_v1.Health_ServiceDesc.ServiceName+"/")
}

// admitCall is the interceptor of calls.
func (s *Server) admitCall(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	received(ctx)
	if err := s.admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	if err := s.limits.size(req); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// admitStream is the interceptor of streams.
func (s *Server) admitStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := s.admit(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	if !isHealth(info.FullMethod) {
		done, err := s.limits.watch()
		if err != nil {
			return err
		}
		defer done()
	}
	return handler(srv, sized{ServerStream: ss, limits: s.limits})
}

func (s *Server) admit(ctx context.Context, method string) error {
	if isHealth(method) {
		return nil
	}
	if p, ok := peer.FromContext(ctx); !ok || !isLocal(p.Addr) {
		if err := s.limits.call(clientOf(ctx)); err != nil {
			return err
		}
	}
	if err := s.authorize(ctx, method); err != nil {
		return err
	}
	if s.cfg.Before != nil {
		s.cfg.Before(ctx)
	}
	return nil
}

// Admit takes one request from the rates, which it shares with calls. What serves another protocol beside the server asks
// for each request but those for health, before anything else; remote is host:port of the client. The error is that of
// a call beyond a limit.
func (s *Server) Admit(remote string) error { return s.limits.call(clientKey(remote)) }

// sized is a stream whose messages have a limit.
type sized struct {
	grpc.ServerStream
	limits *limiter
}

// RecvMsg is that of grpc.ServerStream.
func (s sized) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		if status.Code(err) == codes.ResourceExhausted {
			s.limits.hit(limitRequestBytes) // gRPC itself refused to read so much
		}
		return err
	}
	return s.limits.size(m)
}

// unknownMethod answers calls of what is not there, which so pass the interceptors as all others do.
func unknownMethod(_ any, ss grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(ss)
	return status.Errorf(codes.Unimplemented, "unknown method %q", method)
}
