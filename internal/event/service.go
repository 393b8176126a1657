package event

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// NewService serves WatchEvents from a log.
func NewService(log *Log) eventv1.EventServiceServer { return service{log: log} }

type service struct {
	eventv1.UnimplementedEventServiceServer
	log *Log
}

func (s service) WatchEvents(req *eventv1.WatchEventsRequest, out grpc.ServerStreamingServer[eventv1.WatchEventsResponse]) error {
	last := s.log.Last()
	after := req.GetAfterSeq()
	if req.GetNewOnly() {
		after = last
	}
	r := s.log.Read(after)
	// Who waits for the header knows that nothing is missed from now on.
	if err := out.SendHeader(nil); err != nil {
		return err
	}
	var missed uint64
	for {
		if req.GetNoFollow() && r.next > last {
			return nil
		}
		e, m, err := r.Next(out.Context())
		if err != nil {
			return toStatus(err)
		}
		missed += m
		if len(req.GetKinds()) > 0 && !slices.Contains(req.GetKinds(), Kind(e)) {
			continue
		}
		if err := out.Send(&eventv1.WatchEventsResponse{Event: e, Missed: missed}); err != nil {
			return err
		}
		missed = 0
	}
}

func toStatus(err error) error {
	if errors.Is(err, context.Canceled) {
		return status.Error(codes.Canceled, "the stream ended")
	}
	return status.FromContextError(err).Err()
}
