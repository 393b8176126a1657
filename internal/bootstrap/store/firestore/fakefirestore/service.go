package fakefirestore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// service is the gRPC server: it reads requests and says what it does not know.
type service struct {
	pb.UnimplementedFirestoreServer
	server *Server
}

func unimplemented(what string) error {
	return status.Error(codes.Unimplemented, "fakefirestore: "+what)
}

func (s service) GetDocument(_ context.Context, req *pb.GetDocumentRequest) (*pb.Document, error) {
	if req.GetMask() != nil || req.GetReadTime() != nil {
		return nil, unimplemented("GetDocument with a mask or a read time")
	}
	s.server.reads.Add(1)
	found, _, err := s.server.data.read(req.GetTransaction(), req.GetName())
	if err != nil {
		return nil, err
	}
	if found[0] == nil {
		return nil, status.Errorf(codes.NotFound, "document %s not found", req.GetName())
	}
	return found[0], nil
}

func (s service) BatchGetDocuments(req *pb.BatchGetDocumentsRequest, stream pb.Firestore_BatchGetDocumentsServer) error {
	if req.GetMask() != nil || req.GetReadTime() != nil || req.GetNewTransaction() != nil {
		return unimplemented("BatchGetDocuments with a mask, a read time or a new transaction")
	}
	s.server.reads.Add(int64(len(req.GetDocuments())))
	found, at, err := s.server.data.read(req.GetTransaction(), req.GetDocuments()...)
	if err != nil {
		return err
	}
	for i, name := range req.GetDocuments() {
		resp := &pb.BatchGetDocumentsResponse{ReadTime: at}
		if found[i] != nil {
			resp.Result = &pb.BatchGetDocumentsResponse_Found{Found: found[i]}
		} else {
			resp.Result = &pb.BatchGetDocumentsResponse_Missing{Missing: name}
		}
		if err := stream.Send(resp); err != nil {
			return err
		}
	}
	return nil
}

// ListDocuments answers with all of a collection on one page.
func (s service) ListDocuments(_ context.Context, req *pb.ListDocumentsRequest) (*pb.ListDocumentsResponse, error) {
	if req.GetConsistencySelector() != nil || req.GetOrderBy() != "" || req.GetShowMissing() || req.GetPageToken() != "" {
		return nil, unimplemented("ListDocuments in a transaction, ordered, with missing documents or on pages")
	}
	docs, _ := s.server.data.list(req.GetParent() + "/" + req.GetCollectionId())
	slices.SortFunc(docs, byName)
	resp := &pb.ListDocumentsResponse{}
	for _, d := range docs {
		var only *pb.StructuredQuery_Projection
		if req.GetMask() != nil {
			only = &pb.StructuredQuery_Projection{}
			for _, path := range req.GetMask().GetFieldPaths() {
				only.Fields = append(only.Fields, &pb.StructuredQuery_FieldReference{FieldPath: path})
			}
		}
		d, err := project(d, only)
		if err != nil {
			return nil, err
		}
		resp.Documents = append(resp.Documents, d)
	}
	s.bill(len(resp.GetDocuments()))
	return resp, nil
}

// bill counts the reads of a query; one without result costs one as well.
func (s service) bill(documents int) { s.server.reads.Add(int64(max(1, documents))) }

func (s service) BeginTransaction(_ context.Context, req *pb.BeginTransactionRequest) (*pb.BeginTransactionResponse, error) {
	if req.GetOptions().GetReadOnly() != nil {
		return nil, unimplemented("a transaction that only reads")
	}
	return &pb.BeginTransactionResponse{Transaction: s.server.data.begin()}, nil
}

func (s service) Rollback(_ context.Context, req *pb.RollbackRequest) (*emptypb.Empty, error) {
	s.server.data.rollback(req.GetTransaction())
	return &emptypb.Empty{}, nil
}

func (s service) Commit(_ context.Context, req *pb.CommitRequest) (*pb.CommitResponse, error) {
	resp, err := s.server.data.commit(req.GetTransaction(), req.GetWrites())
	if err == nil {
		s.server.writes.Add(int64(len(req.GetWrites())))
	}
	return resp, err
}

// RunQuery knows one collection, one order and a limit.
func (s service) RunQuery(req *pb.RunQueryRequest, stream pb.Firestore_RunQueryServer) error {
	q := req.GetStructuredQuery()
	switch {
	case q == nil:
		return unimplemented("a query that is not structured")
	case req.GetConsistencySelector() != nil:
		return unimplemented("a query in a transaction or at a time")
	case len(q.GetFrom()) != 1 || q.GetFrom()[0].GetAllDescendants():
		return unimplemented("a query over anything but one collection")
	case q.GetWhere() != nil, len(q.GetOrderBy()) > 1, q.GetStartAt() != nil, q.GetEndAt() != nil, q.GetOffset() != 0, q.GetFindNearest() != nil:
		return unimplemented("a query with where, start, end, offset, nearest or more than one order")
	}
	docs, at := s.server.data.list(req.GetParent() + "/" + q.GetFrom()[0].GetCollectionId())
	docs, err := order(docs, q.GetOrderBy())
	if err != nil {
		return err
	}
	if q.GetLimit() != nil {
		docs = docs[:min(len(docs), int(q.GetLimit().GetValue()))]
	}
	s.bill(len(docs))
	for _, d := range docs {
		if d, err = project(d, q.GetSelect()); err != nil {
			return err
		}
		if err := stream.Send(&pb.RunQueryResponse{Document: d, ReadTime: at}); err != nil {
			return err
		}
	}
	if len(docs) == 0 {
		return stream.Send(&pb.RunQueryResponse{ReadTime: at})
	}
	return nil
}

func byName(a, b *pb.Document) int { return strings.Compare(a.GetName(), b.GetName()) }

// order sorts by a field, and leaves out the documents without it, as an index does.
func order(docs []*pb.Document, by []*pb.StructuredQuery_Order) ([]*pb.Document, error) {
	slices.SortFunc(docs, byName)
	if len(by) == 0 {
		return docs, nil
	}
	field := by[0].GetField().GetFieldPath()
	if field != "__name__" {
		if err := checkPath(field); err != nil {
			return nil, err
		}
		docs = slices.DeleteFunc(docs, func(d *pb.Document) bool { return d.GetFields()[field] == nil })
		for _, d := range docs {
			switch d.GetFields()[field].GetValueType().(type) {
			case *pb.Value_TimestampValue, *pb.Value_IntegerValue, *pb.Value_StringValue:
			default:
				return nil, unimplemented("an order by other values than times, integers and texts")
			}
		}
		slices.SortStableFunc(docs, func(a, b *pb.Document) int { return compare(a.GetFields()[field], b.GetFields()[field]) })
	}
	if by[0].GetDirection() == pb.StructuredQuery_DESCENDING {
		slices.Reverse(docs)
	}
	return docs, nil
}

// compare puts integers before times before texts, as the service does.
func compare(a, b *pb.Value) int {
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(a.GetIntegerValue(), b.GetIntegerValue()),
		compareTimes(a.GetTimestampValue(), b.GetTimestampValue()),
		strings.Compare(a.GetStringValue(), b.GetStringValue()),
	)
}

func rank(v *pb.Value) int {
	switch v.GetValueType().(type) {
	case *pb.Value_IntegerValue:
		return 0
	case *pb.Value_TimestampValue:
		return 1
	default:
		return 2
	}
}

func compareTimes(a, b *timestamppb.Timestamp) int {
	return cmp.Or(cmp.Compare(a.GetSeconds(), b.GetSeconds()), cmp.Compare(a.GetNanos(), b.GetNanos()))
}

// project leaves out the fields that were not asked for.
func project(d *pb.Document, only *pb.StructuredQuery_Projection) (*pb.Document, error) {
	if only == nil {
		return d, nil
	}
	out := &pb.Document{Name: d.GetName(), CreateTime: d.GetCreateTime(), UpdateTime: d.GetUpdateTime(), Fields: make(map[string]*pb.Value)}
	for _, f := range only.GetFields() {
		path := f.GetFieldPath()
		if path == "__name__" {
			continue
		}
		if err := checkPath(path); err != nil {
			return nil, err
		}
		if v, ok := d.GetFields()[path]; ok {
			out.Fields[path] = v
		}
	}
	return out, nil
}
