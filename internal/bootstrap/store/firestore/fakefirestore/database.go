package fakefirestore

import (
	"crypto/rand"
	"maps"
	"strings"
	"sync"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Limits of the service: https://cloud.google.com/firestore/quotas.
const (
	maxDocument = 1 << 20
	maxRequest  = 10 << 20
)

// database is all documents by their full names. A document in it is never changed, only replaced.
type database struct {
	mu           sync.Mutex
	docs         map[string]*pb.Document            // guarded by mu
	now          time.Time                          // guarded by mu; of the last event
	transactions map[string]map[string]*pb.Document // guarded by mu; what each has read, nil for no document
	changed      chan struct{}                      // guarded by mu; closed and replaced with each commit
}

func newDatabase() *database {
	return &database{
		docs:         make(map[string]*pb.Document),
		transactions: make(map[string]map[string]*pb.Document),
		changed:      make(chan struct{}),
	}
}

// tick is the time of an event, later than all before, in the microseconds of the service. It needs mu.
func (d *database) tick() *timestamppb.Timestamp {
	now := time.Now().Truncate(time.Microsecond)
	if !now.After(d.now) {
		now = d.now.Add(time.Microsecond)
	}
	d.now = now
	return timestamppb.New(now)
}

// begin starts a transaction.
func (d *database) begin() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := rand.Text()
	d.transactions[id] = make(map[string]*pb.Document)
	return []byte(id)
}

// rollback ends a transaction. It is no error if it has ended.
func (d *database) rollback(transaction []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.transactions, string(transaction))
}

// read returns documents as they are at one moment, nil for none, for a transaction unless that is empty.
func (d *database) read(transaction []byte, names ...string) (found []*pb.Document, at *timestamppb.Timestamp, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	reads, err := d.reads(transaction)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		doc := d.docs[name]
		found = append(found, doc)
		if _, again := reads[name]; reads != nil && !again {
			reads[name] = doc
		}
	}
	return found, d.tick(), nil
}

// reads is what a transaction has read, nil without a transaction. It needs mu.
func (d *database) reads(transaction []byte) (map[string]*pb.Document, error) {
	if len(transaction) == 0 {
		return nil, nil
	}
	reads, ok := d.transactions[string(transaction)]
	if !ok {
		return nil, status.Error(codes.InvalidArgument, "the transaction has ended, or never was")
	}
	return reads, nil
}

// list returns the documents of a collection, by its full name, in no order.
func (d *database) list(collection string) ([]*pb.Document, *timestamppb.Timestamp) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var docs []*pb.Document
	for name, doc := range d.docs {
		if id, ok := strings.CutPrefix(name, collection+"/"); ok && !strings.Contains(id, "/") {
			docs = append(docs, doc)
		}
	}
	return docs, d.tick()
}

// commit makes all writes or none.
func (d *database) commit(transaction []byte, writes []*pb.Write) (*pb.CommitResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	reads, err := d.reads(transaction)
	if err != nil {
		return nil, err
	}
	delete(d.transactions, string(transaction))
	for name, doc := range reads {
		if d.docs[name] != doc {
			return nil, status.Errorf(codes.Aborted, "document %s has changed since the transaction read it", name)
		}
	}
	staged := make(map[string]*pb.Document) // nil: deleted
	resp := &pb.CommitResponse{CommitTime: d.tick()}
	for _, w := range writes {
		result, err := d.stage(staged, w, resp.GetCommitTime())
		if err != nil {
			return nil, err
		}
		resp.WriteResults = append(resp.WriteResults, result)
	}
	maps.Copy(d.docs, staged)
	maps.DeleteFunc(d.docs, func(_ string, doc *pb.Document) bool { return doc == nil })
	close(d.changed)
	d.changed = make(chan struct{})
	return resp, nil
}

// stage makes one write on top of those before it. It needs mu.
func (d *database) stage(staged map[string]*pb.Document, w *pb.Write, now *timestamppb.Timestamp) (*pb.WriteResult, error) {
	name := w.GetDelete()
	if u := w.GetUpdate(); u != nil {
		name = u.GetName()
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	old, ok := staged[name]
	if !ok {
		old = d.docs[name]
	}
	if err := precondition(w.GetCurrentDocument(), name, old); err != nil {
		return nil, err
	}
	switch op := w.GetOperation().(type) {
	case *pb.Write_Delete:
		staged[name] = nil
		return &pb.WriteResult{}, nil
	case *pb.Write_Update:
		doc, results, err := updated(old, op.Update, w, now)
		if err != nil {
			return nil, err
		}
		staged[name] = doc
		return &pb.WriteResult{UpdateTime: doc.GetUpdateTime(), TransformResults: results}, nil
	default:
		return nil, status.Errorf(codes.Unimplemented, "fakefirestore: a write that is a %T", op)
	}
}

// updated is the document that an update makes of the one before, nil for none.
func updated(old, set *pb.Document, w *pb.Write, now *timestamppb.Timestamp) (*pb.Document, []*pb.Value, error) {
	doc := &pb.Document{Name: set.GetName(), Fields: maps.Clone(set.GetFields()), CreateTime: now, UpdateTime: now}
	if old != nil {
		doc.CreateTime = old.GetCreateTime()
	}
	if doc.Fields == nil {
		doc.Fields = make(map[string]*pb.Value)
	}
	if w.GetUpdateMask() != nil {
		if err := mask(doc, old, set, w.GetUpdateMask().GetFieldPaths()); err != nil {
			return nil, nil, err
		}
	}
	results, err := transform(doc, w.GetUpdateTransforms(), now)
	if err != nil {
		return nil, nil, err
	}
	if size := sizeOf(doc); size > maxDocument {
		return nil, nil, status.Errorf(codes.InvalidArgument,
			"Document '%s' cannot be written because its size (%d bytes) exceeds the maximum allowed size of %d bytes.", doc.GetName(), size, maxDocument)
	}
	if old != nil && sameFields(old, doc) {
		doc.UpdateTime = old.GetUpdateTime()
	}
	return doc, results, nil
}

func sameFields(a, b *pb.Document) bool {
	return maps.EqualFunc(a.GetFields(), b.GetFields(), func(x, y *pb.Value) bool { return proto.Equal(x, y) })
}
