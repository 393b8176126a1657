package chat

import (
	"time"

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
	hello, err := r.awaitHello(l)
	if err != nil {
		return err
	}
	l.opener = hello.GetId()
	s, err := r.greeted(hello)
	if err != nil {
		return err
	}
	err = r.answer(s, l, hello)
	if err != nil {
		return err
	}
	select {
	case <-l.done:
	case <-stream.Context().Done():
		l.close()
	}
	return nil
}

// answer greets back and makes l the link. Until then the session stays, whatever dialling finds.
func (r *run) answer(s *session, l *link, hello *chatv1.Hello) error {
	defer s.hungUp()
	if err := l.send(s.hello()); err != nil {
		return err
	}
	return s.attach(l, hello)
}

// greeted is the session with who says hello. One that this peer does not know as a member yet takes part
// already: gossip about it is under way.
func (r *run) greeted(hello *chatv1.Hello) (*session, error) {
	m := app.Member{ID: hello.GetId(), Name: clean(hello.GetName()), State: app.Alive}
	if m.ID == r.self.ID || m.Name == "" {
		return nil, status.Error(codes.InvalidArgument, "a hello needs an id and a name of its own")
	}
	session := r.session
	for _, known := range r.peer.Members() {
		if known.ID != m.ID {
			continue
		}
		if clean(known.Name) != m.Name {
			return nil, status.Errorf(codes.InvalidArgument, "the member with that id is %s here, not %s", clean(known.Name), m.Name)
		}
		m, session = known, r.meet
	}
	for range 2 { // the first may be one that was just ended
		if s, _ := session(m); s != nil && s.called() {
			return s, nil
		}
	}
	return nil, status.Error(codes.FailedPrecondition, "the chat stops here")
}

// awaitHello waits for the opener's Hello, not for ever. The stream ends with the call, and so does the task.
func (r *run) awaitHello(l *link) (*chatv1.Hello, error) {
	type greeting struct {
		hello *chatv1.Hello
		err   error
	}
	got := make(chan greeting, 1)
	if !r.task(func() {
		hello, err := greet(l, nil, false)
		got <- greeting{hello, err}
	}) {
		return nil, status.Error(codes.FailedPrecondition, "the chat stops here")
	}
	late := time.NewTimer(greetWait)
	defer late.Stop()
	select {
	case g := <-got:
		return g.hello, g.err
	case <-late.C:
		return nil, status.Errorf(codes.DeadlineExceeded, "no hello within %s", greetWait)
	case <-r.ctx.Done():
		return nil, status.Error(codes.FailedPrecondition, "the chat stops here")
	}
}
