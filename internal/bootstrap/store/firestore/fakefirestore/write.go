package fakefirestore

import (
	"maps"
	"strings"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// checkName refuses what is not the name of a document:
// projects/P/databases/D/documents/COLLECTION/ID[/COLLECTION/ID...].
func checkName(name string) error {
	parts := strings.Split(name, "/")
	ok := len(parts) >= 7 && len(parts)%2 == 1 && parts[0] == "projects" && parts[2] == "databases" && parts[4] == "documents"
	for _, id := range parts {
		reserved := len(id) >= 4 && strings.HasPrefix(id, "__") && strings.HasSuffix(id, "__")
		ok = ok && id != "" && id != "." && id != ".." && !reserved && len(id) <= 1500
	}
	if !ok {
		return status.Errorf(codes.InvalidArgument, "%q is not the name of a document", name)
	}
	return nil
}

// precondition answers as the service does.
func precondition(p *pb.Precondition, name string, doc *pb.Document) error {
	switch c := p.GetConditionType().(type) {
	case nil:
		return nil
	case *pb.Precondition_Exists:
		if c.Exists && doc == nil {
			return status.Errorf(codes.NotFound, "no document to update: %s", name)
		}
		if !c.Exists && doc != nil {
			return status.Errorf(codes.AlreadyExists, "document already exists: %s", name)
		}
	case *pb.Precondition_UpdateTime:
		if !proto.Equal(c.UpdateTime, doc.GetUpdateTime()) {
			return status.Errorf(codes.FailedPrecondition, "the stored version of %s does not match the required one", name)
		}
	}
	return nil
}

// mask has a document keep the old fields except for those of the paths.
func mask(doc, old, set *pb.Document, paths []string) error {
	doc.Fields = make(map[string]*pb.Value)
	maps.Copy(doc.Fields, old.GetFields())
	for _, path := range paths {
		if err := checkPath(path); err != nil {
			return err
		}
		if v, ok := set.GetFields()[path]; ok {
			doc.Fields[path] = v
		} else {
			delete(doc.Fields, path)
		}
	}
	return nil
}

// checkPath refuses paths into maps, and quoted ones.
func checkPath(path string) error {
	if path == "" || strings.ContainsAny(path, ".`") {
		return status.Errorf(codes.Unimplemented, "fakefirestore: the field path %q; only fields at the top are there", path)
	}
	return nil
}

// transform sets fields to the time of the commit.
func transform(doc *pb.Document, transforms []*pb.DocumentTransform_FieldTransform, now *timestamppb.Timestamp) ([]*pb.Value, error) {
	var results []*pb.Value
	for _, t := range transforms {
		if err := checkPath(t.GetFieldPath()); err != nil {
			return nil, err
		}
		if t.GetSetToServerValue() != pb.DocumentTransform_FieldTransform_REQUEST_TIME {
			return nil, status.Errorf(codes.Unimplemented, "fakefirestore: the transform %T", t.GetTransformType())
		}
		v := &pb.Value{ValueType: &pb.Value_TimestampValue{TimestampValue: now}}
		doc.Fields[t.GetFieldPath()] = v
		results = append(results, v)
	}
	return results, nil
}

// sizeOf counts as https://cloud.google.com/firestore/docs/storage-size says.
func sizeOf(doc *pb.Document) int {
	size := 16 + 32
	_, path, _ := strings.Cut(doc.GetName(), "/documents/")
	for id := range strings.SplitSeq(path, "/") {
		size += len(id) + 1
	}
	return size + sizeOfFields(doc.GetFields())
}

func sizeOfFields(fields map[string]*pb.Value) int {
	size := 0
	for name, v := range fields {
		size += len(name) + 1 + sizeOfValue(v)
	}
	return size
}

func sizeOfValue(v *pb.Value) int {
	switch v := v.GetValueType().(type) {
	case *pb.Value_BytesValue:
		return len(v.BytesValue)
	case *pb.Value_StringValue:
		return len(v.StringValue) + 1
	case *pb.Value_ReferenceValue:
		return len(v.ReferenceValue) + 1
	case *pb.Value_IntegerValue, *pb.Value_DoubleValue, *pb.Value_TimestampValue:
		return 8
	case *pb.Value_GeoPointValue:
		return 16
	case *pb.Value_MapValue:
		return sizeOfFields(v.MapValue.GetFields())
	case *pb.Value_ArrayValue:
		size := 0
		for _, e := range v.ArrayValue.GetValues() {
			size += sizeOfValue(e)
		}
		return size
	default: // null and booleans
		return 1
	}
}
