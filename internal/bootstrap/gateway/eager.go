package gateway

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// eager is a connection to a service for the transcoder, whose watches have failed already, or have a first answer, when the
// transcoder has their header. It has an error of its own form for a stream that breaks, but what fails before anything was
// answered is to look as with any other call.
type eager struct {
	grpc.ClientConnInterface
}

// NewStream is that of grpc.ClientConnInterface. Watch is the only stream.
func (c eager) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := c.ClientConnInterface.NewStream(ctx, desc, method, opts...)
	if err != nil {
		return nil, err
	}
	return &eagerStream{ClientStream: s}, nil
}

type eagerStream struct {
	grpc.ClientStream
	first *bootstrapv1.WatchResponse // what was received and not taken yet
}

// Header waits for the first answer.
func (s *eagerStream) Header() (metadata.MD, error) {
	first := &bootstrapv1.WatchResponse{}
	if err := s.RecvMsg(first); err != nil {
		return nil, err
	}
	s.first = first
	return s.ClientStream.Header()
}

// RecvMsg is that of grpc.ClientStream.
func (s *eagerStream) RecvMsg(m any) error {
	if out, ok := m.(proto.Message); ok && s.first != nil {
		proto.Merge(out, s.first)
		s.first = nil
		return nil
	}
	return s.ClientStream.RecvMsg(m)
}
