package chat

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/app"
	chatv1 "peerlab.example/peerlab/proto/peerlab/chat/v1"
)

// Register implements app.Registrar.
func (c *Chat) Register(r grpc.ServiceRegistrar) { chatv1.RegisterChatServiceServer(r, c) }

// Link serves a link that another peer opens.
func (c *Chat) Link(stream grpc.BidiStreamingServer[chatv1.LinkRequest, chatv1.LinkResponse]) error {
	r := c.running()
	if r == nil {
		return status.Error(codes.FailedPrecondition, "the chat is not started here")
	}
	l := newLink("",
		func(f *chatv1.Frame) error { return stream.Send(&chatv1.LinkResponse{Frame: f}) },
		func() (*chatv1.Frame, error) {
			req, err := stream.Recv()
			return req.GetFrame(), err
		},
		func() {}) // the stream ends when this method returns
	hello, err := greet(l, nil, false)
	if err != nil {
		return err
	}
	l.opener = hello.GetId()
	s, err := r.greeted(hello)
	if err != nil {
		return err
	}
	if err := l.send(s.hello()); err != nil {
		return err
	}
	if err := s.attach(l, hello); err != nil {
		return err
	}
	select {
	case <-l.done:
	case <-stream.Context().Done():
		l.close()
	}
	return nil
}

// greeted is the session with who says hello. One that this peer does not know as a member yet takes part
// already: gossip about it is under way. A new start of the other's chat is a new session.
func (r *run) greeted(hello *chatv1.Hello) (*session, error) {
	m := app.Member{ID: hello.GetId(), Name: clean(hello.GetName()), State: app.Alive}
	if m.ID == r.self.ID || m.Name == "" {
		return nil, status.Error(codes.InvalidArgument, "a hello needs an id and a name of its own")
	}
	for _, known := range r.peer.Members() {
		if known.ID == m.ID {
			m = known
		}
	}
	s, _ := r.session(m)
	if s != nil && s.restarted(hello.GetSession()) {
		r.end(m.ID, "has left")
		s, _ = r.session(m)
	}
	if s == nil {
		return nil, status.Error(codes.FailedPrecondition, "the chat stops here")
	}
	return s, nil
}

// restarted reports whether the other's chat was started anew since the last Hello.
func (s *session) restarted(remote string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote != "" && s.remote != remote
}
