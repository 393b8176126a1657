package firestore_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// scripted is a server whose streams say what a script has for them, one after the other. No document is there.
type scripted struct {
	pb.UnimplementedFirestoreServer
	streams [][]*pb.ListenResponse // the last one is for all further streams as well
	count   atomic.Int64
	headers atomic.Pointer[metadata.MD] // of the first stream
}

func (s *scripted) BatchGetDocuments(req *pb.BatchGetDocumentsRequest, stream pb.Firestore_BatchGetDocumentsServer) error {
	for _, name := range req.GetDocuments() {
		if err := stream.Send(&pb.BatchGetDocumentsResponse{Result: &pb.BatchGetDocumentsResponse_Missing{Missing: name}}); err != nil {
			return err
		}
	}
	return nil
}

func (s *scripted) Listen(stream pb.Firestore_ListenServer) error {
	if md, ok := metadata.FromIncomingContext(stream.Context()); ok {
		s.headers.CompareAndSwap(nil, &md)
	}
	if _, err := stream.Recv(); err != nil {
		return err
	}
	n := min(int(s.count.Add(1)), len(s.streams))
	for _, r := range s.streams[n-1] {
		if err := stream.Send(r); err != nil {
			return err
		}
	}
	<-stream.Context().Done()
	return nil
}

// play serves a script on loopback until the test ends.
func play(t *testing.T, s *scripted) (addr string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.WaitForHandlers(true))
	pb.RegisterFirestoreServer(srv, s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) })
	t.Cleanup(func() {
		srv.Stop()
		serving.Wait()
	})
	return l.Addr().String()
}

func targetChange(kind pb.TargetChange_TargetChangeType, ids ...int32) *pb.ListenResponse {
	return &pb.ListenResponse{ResponseType: &pb.ListenResponse_TargetChange{
		TargetChange: &pb.TargetChange{TargetChangeType: kind, TargetIds: ids},
	}}
}

func documentChange(t *testing.T, revision uint64, ids ...int32) *pb.ListenResponse {
	t.Helper()
	value, err := proto.Marshal(&bootstrapv1.Roster{Group: "a", Revision: revision})
	if err != nil {
		t.Fatal(err)
	}
	return &pb.ListenResponse{ResponseType: &pb.ListenResponse_DocumentChange{DocumentChange: &pb.DocumentChange{
		TargetIds: ids,
		Document: &pb.Document{
			Name:       "a document",
			UpdateTime: timestamppb.Now(),
			Fields:     map[string]*pb.Value{"roster": {ValueType: &pb.Value_BytesValue{BytesValue: value}}},
		},
	}}}
}

// Streams that the service ends, that say nothing, that have missed something or begin anew do not end a watch.
func TestUnusualStreams(t *testing.T) {
	t.Parallel()
	denied := targetChange(pb.TargetChange_REMOVE, 1)
	denied.GetTargetChange().Cause = &rpcstatus.Status{Code: int32(codes.PermissionDenied), Message: "for a reason"}
	current := func(ids ...int32) *pb.ListenResponse { return targetChange(pb.TargetChange_CURRENT, ids...) }
	filter := &pb.ListenResponse{ResponseType: &pb.ListenResponse_Filter{Filter: &pb.ExistenceFilter{TargetId: 1, Count: 0}}}
	removed := &pb.ListenResponse{ResponseType: &pb.ListenResponse_DocumentRemove{DocumentRemove: &pb.DocumentRemove{RemovedTargetIds: []int32{1}}}}
	server := &scripted{streams: [][]*pb.ListenResponse{
		{denied},
		{targetChange(pb.TargetChange_REMOVE, 1)},
		{targetChange(pb.TargetChange_ADD, 1)}, // and then nothing
		{documentChange(t, 1, 1), current(1), filter},
		{documentChange(t, 2, 1), current(), targetChange(pb.TargetChange_NO_CHANGE)},
	}}
	last := &server.streams[len(server.streams)-1]
	*last = append(*last,
		documentChange(t, 9, 2), // of a target that is not there
		targetChange(pb.TargetChange_RESET, 1),
		documentChange(t, 3, 1), current(1),
		removed,                 // the group is not there, so it has the floor as revision, which is lower
		documentChange(t, 2, 1), // from before
		documentChange(t, 4, 1),
	)
	c := config(play(t, server), 0)
	c.CallTimeout = shortTimeout
	w := startWatch(t, open(t, c), "a")
	for revision := uint64(1); revision <= 4; revision++ {
		// Slow readers may see only the newest.
		r, err, _ := w.next()
		if err != nil || r.GetRevision() < revision {
			t.Fatalf("watch: %d, %v; want %d or later", r.GetRevision(), err, revision)
		}
		revision = r.GetRevision()
	}
	if n := server.count.Load(); n != 5 {
		t.Errorf("%d streams, want 5", n)
	}
	if got := server.headers.Load().Get("google-cloud-resource-prefix"); len(got) != 1 || got[0] != "projects/test-project/databases/(default)" {
		t.Errorf("resource header %q", got)
	}
}
