package firestore

import (
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// allGroups finds the names of all documents of a collection, without their fields.
func allGroups(collection string) *pb.StructuredQuery {
	return &pb.StructuredQuery{
		Select: &pb.StructuredQuery_Projection{Fields: []*pb.StructuredQuery_FieldReference{{FieldPath: "__name__"}}},
		From:   []*pb.StructuredQuery_CollectionSelector{{CollectionId: collection}},
	}
}

// longestEmpty finds the group that has been without peers for the longest time. Only such groups have the
// field that it orders by, so the index that Firestore keeps of each field by itself is enough, and
// nobody has to create one.
func longestEmpty(collection string) *pb.StructuredQuery {
	return &pb.StructuredQuery{
		From: []*pb.StructuredQuery_CollectionSelector{{CollectionId: collection}},
		OrderBy: []*pb.StructuredQuery_Order{{
			Field:     &pb.StructuredQuery_FieldReference{FieldPath: fieldEmptySince},
			Direction: pb.StructuredQuery_ASCENDING,
		}},
		Limit: wrapperspb.Int32(1),
	}
}
