package membership

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"peerlab.example/peerlab/app"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

// NewService serves the view that members returns.
func NewService(members func() []app.Member) membershipv1.MembershipServiceServer {
	return service{members: members}
}

type service struct {
	membershipv1.UnimplementedMembershipServiceServer
	members func() []app.Member
}

// ListMembers implements membershipv1.MembershipServiceServer.
func (s service) ListMembers(context.Context, *membershipv1.ListMembersRequest) (*membershipv1.ListMembersResponse, error) {
	var resp membershipv1.ListMembersResponse
	for _, m := range s.members() {
		resp.Members = append(resp.Members, &membershipv1.Member{
			Id: m.ID, Name: m.Name, Addr: m.Addr, RpcAddr: m.RPCAddr, State: toProto(m.State),
			JoinedAt: timestamppb.New(m.JoinedAt), Apps: m.Apps, RttNs: int64(m.RTT), Self: m.Self,
		})
	}
	return &resp, nil
}

func toProto(s app.State) membershipv1.State {
	switch s {
	case app.Alive:
		return membershipv1.State_STATE_ALIVE
	case app.Suspect:
		return membershipv1.State_STATE_SUSPECT
	case app.Left:
		return membershipv1.State_STATE_LEFT
	case app.Lost:
		return membershipv1.State_STATE_LOST
	}
	return membershipv1.State_STATE_UNSPECIFIED
}
