package firestore

import (
	"fmt"
	"net/url"
	"strings"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"peerlab.example/peerlab/internal/bootstrap"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// IDs of documents. The prefix keeps a group of any name apart from the meta document, and from the IDs
// that Firestore reserves (. and .. and __any__).
const (
	metaID      = "meta"
	groupPrefix = "group:"
)

// Fields of documents.
const (
	fieldGroup      = "group"       // its name
	fieldRoster     = "roster"      // a bootstrapv1.Roster as bytes
	fieldRevision   = "revision"    // that of the roster
	fieldCount      = "count"       // of peers
	fieldUpdated    = "updated"     // when it was changed last, by Firestore's clock
	fieldEmptySince = "empty_since" // as updated, but there only while there are no peers
	fieldGroups     = "groups"      // in the meta document: how many there are
	fieldFloor      = "floor"       // in the meta document: no forgotten group had a higher revision
)

// maxDocument is the limit of Firestore for one document, in bytes as Firestore counts them:
// https://cloud.google.com/firestore/quotas and https://cloud.google.com/firestore/docs/storage-size.
const maxDocument = 1 << 20

// state is a group as Firestore has it.
type state struct {
	roster  *bootstrapv1.Roster
	updated *timestamppb.Timestamp // of its document; nil if there is none
	meta    meta                   // only of a group without document
	value   []byte                 // the roster in its document
}

// meta is the meta document.
type meta struct {
	groups  int64
	floor   uint64
	updated *timestamppb.Timestamp // nil if there is no document
}

// same says whether nothing happened between two reads of a group.
func (s *state) same(as *state) bool {
	return proto.Equal(s.updated, as.updated) && proto.Equal(s.meta.updated, as.meta.updated)
}

// documents is the name below which all documents of the store are.
func (c Config) documents() string { return c.database() + "/documents" }

func (c Config) metaName() string { return c.documents() + "/" + c.Collection + "/" + metaID }

func (c Config) groupName(group string) string {
	return c.documents() + "/" + c.Collection + "/" + groupID(group)
}

// groupID escapes what a name may have and an ID may not.
func groupID(group string) string { return groupPrefix + url.PathEscape(group) }

// groupOf is the group of a document, by its name.
func groupOf(document string) (group string, ok bool) {
	id := document[strings.LastIndexByte(document, '/')+1:]
	id, ok = strings.CutPrefix(id, groupPrefix)
	if !ok {
		return "", false
	}
	group, err := url.PathUnescape(id)
	return group, err == nil
}

// decodeGroup reads the document of a group.
func decodeGroup(d *pb.Document) (*state, error) {
	value, ok := d.GetFields()[fieldRoster].GetValueType().(*pb.Value_BytesValue)
	if !ok {
		return nil, fmt.Errorf("document %s has no bytes in its field %s: is the collection used by something else?", d.GetName(), fieldRoster)
	}
	r := &bootstrapv1.Roster{}
	if err := proto.Unmarshal(value.BytesValue, r); err != nil {
		return nil, fmt.Errorf("document %s: %w", d.GetName(), err)
	}
	return &state{roster: r, updated: d.GetUpdateTime(), value: value.BytesValue}, nil
}

// decodeMeta reads the meta document, nil if there is none.
func decodeMeta(d *pb.Document) (meta, error) {
	if d == nil {
		return meta{}, nil
	}
	f := d.GetFields()
	m := meta{groups: f[fieldGroups].GetIntegerValue(), floor: revisionOf(f[fieldFloor]), updated: d.GetUpdateTime()}
	if _, ok := f[fieldGroups].GetValueType().(*pb.Value_IntegerValue); !ok || m.groups < 0 {
		return m, fmt.Errorf("document %s has no field %s: is the collection used by something else?", d.GetName(), fieldGroups)
	}
	return m, nil
}

// encodeRoster is the field with the roster. It is the same for the same roster, so that a change can be
// recognised.
func encodeRoster(r *bootstrapv1.Roster) ([]byte, error) {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the roster: %w", err)
	}
	return value, nil
}

// putGroup writes the roster of a group if its document is as it was: changed at that time, or not there if
// that is nil.
func (c Config) putGroup(r *bootstrapv1.Roster, value []byte, updated *timestamppb.Timestamp) (*pb.Write, error) {
	if size := c.size(r.GetGroup(), value); size > maxDocument {
		return nil, fmt.Errorf("%w for a document: %d bytes with %d peers, and at most %d are possible: lower max_peers, or give peers fewer labels",
			bootstrap.ErrTooLarge, size, len(r.GetPeers()), maxDocument)
	}
	now := []string{fieldUpdated}
	if len(r.GetPeers()) == 0 {
		now = append(now, fieldEmptySince)
	}
	return put(c.groupName(r.GetGroup()), map[string]*pb.Value{
		fieldGroup:    {ValueType: &pb.Value_StringValue{StringValue: r.GetGroup()}},
		fieldRoster:   {ValueType: &pb.Value_BytesValue{BytesValue: value}},
		fieldRevision: revisionValue(r.GetRevision()),
		fieldCount:    integer(int64(len(r.GetPeers()))),
	}, now, updated), nil
}

// putMeta writes the meta document if it is still as m.updated says.
func (c Config) putMeta(m meta) *pb.Write {
	return put(c.metaName(), map[string]*pb.Value{
		fieldGroups: integer(m.groups),
		fieldFloor:  revisionValue(m.floor),
	}, []string{fieldUpdated}, m.updated)
}

// put replaces a document. The fields named by now get the time of the write.
func put(name string, fields map[string]*pb.Value, now []string, updated *timestamppb.Timestamp) *pb.Write {
	w := &pb.Write{
		Operation:       &pb.Write_Update{Update: &pb.Document{Name: name, Fields: fields}},
		CurrentDocument: unchanged(updated),
	}
	for _, field := range now {
		w.UpdateTransforms = append(w.UpdateTransforms, &pb.DocumentTransform_FieldTransform{
			FieldPath: field,
			TransformType: &pb.DocumentTransform_FieldTransform_SetToServerValue{
				SetToServerValue: pb.DocumentTransform_FieldTransform_REQUEST_TIME,
			},
		})
	}
	return w
}

// unchanged is the condition that a document is as it was at that time, or not there if that is nil.
func unchanged(updated *timestamppb.Timestamp) *pb.Precondition {
	if updated == nil {
		return &pb.Precondition{ConditionType: &pb.Precondition_Exists{Exists: false}}
	}
	return &pb.Precondition{ConditionType: &pb.Precondition_UpdateTime{UpdateTime: updated}}
}

// size is how large the document of a group is, by the rules of Firestore: 16 bytes and each ID with one
// more byte for the name, 32 for the document, each field's name with one more byte, 8 for a number or a
// time, and a text with one more byte.
func (c Config) size(group string, value []byte) int {
	name := 16 + len(c.Collection) + 1 + len(groupID(group)) + 1
	fields := len(fieldGroup) + 1 + len(group) + 1 + len(fieldRoster) + 1 + len(value)
	for _, f := range []string{fieldRevision, fieldCount, fieldUpdated, fieldEmptySince} {
		fields += len(f) + 1 + 8
	}
	return name + 32 + fields
}

func integer(i int64) *pb.Value {
	return &pb.Value{ValueType: &pb.Value_IntegerValue{IntegerValue: i}}
}

// revisionValue and revisionOf keep all 64 bits, also of revisions that no group ever reaches.
func revisionValue(revision uint64) *pb.Value {
	return integer(int64(revision)) //nolint:gosec // revisionOf gets the same bits back
}

func revisionOf(v *pb.Value) uint64 {
	return uint64(v.GetIntegerValue()) //nolint:gosec // as revisionValue made it
}
