package peer

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/app"
	appv1 "peerlab.example/peerlab/proto/peerlab/app/v1"
)

const (
	// senderWait is how long a message waits for its sender to become known: gossip about a newcomer may be slower
	// than the newcomer. Then the sender is asked to try again.
	senderWait = time.Second
	senderTick = 10 * time.Millisecond
)

// sendService serves what other peers' applications send.
type sendService struct {
	appv1.UnimplementedAppServiceServer
	peer *Peer
}

// Send implements appv1.AppServiceServer.
func (s sendService) Send(ctx context.Context, req *appv1.SendRequest) (*appv1.SendResponse, error) {
	if len(req.GetPayload()) > app.MaxSend {
		return nil, status.Errorf(codes.InvalidArgument, "%d bytes; %d is the most", len(req.GetPayload()), app.MaxSend)
	}
	i := slices.IndexFunc(s.peer.apps, func(h *host) bool { return h.app.Name() == req.GetApp() })
	if i < 0 {
		return nil, status.Error(codes.FailedPrecondition, "this peer does not have the application")
	}
	from, err := s.peer.sender(ctx, req)
	if err != nil {
		return nil, err
	}
	d, err := s.peer.apps[i].accept(from, req)
	if err != nil {
		return nil, toStatus(err)
	}
	select {
	case <-d.done:
		return &appv1.SendResponse{}, toStatus(d.err)
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// toStatus maps the errors of a delivery.
func toStatus(err error) error {
	code := codes.InvalidArgument
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errFull):
		code = codes.Unavailable
	case errors.Is(err, errOther):
		code = codes.NotFound
	case errors.Is(err, errStopped):
		code = codes.FailedPrecondition
	case errors.Is(err, errPanicked):
		code = codes.Internal
	case errors.Is(err, errDeaf):
		code = codes.Unimplemented
	case errors.Is(err, errGivenUp):
		code = codes.Aborted
	}
	return status.Error(code, err.Error())
}

// sender is the member that sends. It is believed to be who it says: all who have the secrets of the lab may speak.
func (p *Peer) sender(ctx context.Context, req *appv1.SendRequest) (app.Member, error) {
	late := time.NewTimer(senderWait)
	defer late.Stop()
	tick := time.NewTicker(senderTick)
	defer tick.Stop()
	for {
		n := p.membership()
		if n == nil || n.Self().ID != req.GetTo() {
			return app.Member{}, toStatus(errOther)
		}
		if m, known := n.Member(req.GetFrom()); known && m.Live() {
			return m, nil
		}
		select {
		case <-tick.C:
		case <-late.C:
			return app.Member{}, status.Error(codes.Unavailable, "it does not know the sender as a live member")
		case <-ctx.Done():
			return app.Member{}, status.FromContextError(ctx.Err()).Err()
		case <-p.ctx.Done():
			return app.Member{}, status.Error(codes.Unavailable, "the peer closes")
		}
	}
}
