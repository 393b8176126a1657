package fakefirestore

import (
	"context"
	"maps"
	"slices"
	"strconv"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// listener is one stream of Listen.
type listener struct {
	server  *Server
	stream  pb.Firestore_ListenServer
	targets map[int32]map[string]*pb.Document // what the client knows of each document, nil for none
	tokens  int
}

// Listen tells of documents at once, and again when they change. Changes that come together may be told as
// one, as the service may do.
func (s service) Listen(stream pb.Firestore_ListenServer) error {
	s.server.streams.Add(1)
	defer s.server.streams.Add(-1)
	l := &listener{server: s.server, stream: stream, targets: make(map[int32]map[string]*pb.Document)}
	ctx, cancel := context.WithCancel(stream.Context())
	requests, failed := make(chan *pb.ListenRequest), make(chan error, 1)
	defer cancel()
	// Recv ends after this handler has returned, so the server waits for it and not the handler.
	s.server.tasks.Go(func() { receive(ctx, stream, requests, failed) })
	for {
		changed := s.server.data.change()
		if err := l.update(); err != nil {
			return err
		}
		select {
		case <-changed:
		case r := <-requests:
			if err := l.request(r); err != nil {
				return err
			}
		case err := <-failed:
			return err
		}
	}
}

// change is closed with the next commit.
func (d *database) change() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

func receive(ctx context.Context, stream pb.Firestore_ListenServer, requests chan<- *pb.ListenRequest, failed chan<- error) {
	for {
		r, err := stream.Recv()
		if err != nil {
			failed <- err
			return
		}
		select {
		case requests <- r:
		case <-ctx.Done():
			failed <- ctx.Err() // the client went, and the handler may not know
			return
		}
	}
}

// request adds or removes a target.
func (l *listener) request(r *pb.ListenRequest) error {
	if id := r.GetRemoveTarget(); id != 0 {
		delete(l.targets, id)
		return l.send(&pb.TargetChange{TargetChangeType: pb.TargetChange_REMOVE, TargetIds: []int32{id}})
	}
	t := r.GetAddTarget()
	switch {
	case t.GetDocuments() == nil:
		return unimplemented("a target of Listen that is not a list of documents")
	case t.GetOnce():
		return unimplemented("a target of Listen that is told of once")
	case t.GetTargetId() <= 0, l.targets[t.GetTargetId()] != nil:
		return status.Errorf(codes.InvalidArgument, "the target %d is not positive, or is there already", t.GetTargetId())
	}
	for _, name := range t.GetDocuments().GetDocuments() {
		if err := checkName(name); err != nil {
			return err
		}
	}
	id := t.GetTargetId()
	if err := l.send(&pb.TargetChange{TargetChangeType: pb.TargetChange_ADD, TargetIds: []int32{id}}); err != nil {
		return err
	}
	return l.first(id, t.GetDocuments().GetDocuments())
}

// first tells how the documents of a new target are.
func (l *listener) first(id int32, names []string) error {
	l.targets[id] = make(map[string]*pb.Document)
	found, at, err := l.server.data.read(nil, names...)
	if err != nil {
		return err
	}
	l.server.reads.Add(int64(len(names)))
	for i, name := range names {
		if err := l.tell(id, name, found[i], at); err != nil {
			return err
		}
	}
	if err := l.send(&pb.TargetChange{TargetChangeType: pb.TargetChange_CURRENT, TargetIds: []int32{id}, ReadTime: at, ResumeToken: l.token()}); err != nil {
		return err
	}
	return l.consistent(at)
}

// update tells of all documents that have changed.
func (l *listener) update() error {
	told, at := false, (*timestamppb.Timestamp)(nil)
	for _, id := range slices.Sorted(maps.Keys(l.targets)) {
		known := l.targets[id]
		names := slices.Sorted(maps.Keys(known))
		found, now, err := l.server.data.read(nil, names...)
		if err != nil {
			return err
		}
		at = now
		for i, name := range names {
			if found[i] == known[name] {
				continue
			}
			told = true
			l.server.reads.Add(1)
			if err := l.tell(id, name, found[i], at); err != nil {
				return err
			}
		}
	}
	if !told {
		return nil
	}
	return l.consistent(at)
}

// tell tells of one document.
func (l *listener) tell(id int32, name string, doc *pb.Document, at *timestamppb.Timestamp) error {
	l.targets[id][name] = doc
	if doc == nil {
		return l.stream.Send(&pb.ListenResponse{ResponseType: &pb.ListenResponse_DocumentDelete{
			DocumentDelete: &pb.DocumentDelete{Document: name, RemovedTargetIds: []int32{id}, ReadTime: at},
		}})
	}
	return l.stream.Send(&pb.ListenResponse{ResponseType: &pb.ListenResponse_DocumentChange{
		DocumentChange: &pb.DocumentChange{Document: doc, TargetIds: []int32{id}},
	}})
}

// consistent says that the client knows all that happened until then.
func (l *listener) consistent(at *timestamppb.Timestamp) error {
	return l.send(&pb.TargetChange{TargetChangeType: pb.TargetChange_NO_CHANGE, ReadTime: at, ResumeToken: l.token()})
}

func (l *listener) send(c *pb.TargetChange) error {
	return l.stream.Send(&pb.ListenResponse{ResponseType: &pb.ListenResponse_TargetChange{TargetChange: c}})
}

// token is there since the service sends one. Who sends it back gets everything again.
func (l *listener) token() []byte {
	l.tokens++
	return []byte(strconv.Itoa(l.tokens))
}
