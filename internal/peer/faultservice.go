package peer

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/network"
	faultv1 "peerlab.example/peerlab/proto/peerlab/fault/v1"
)

// faultService serves the faults of a peer. It asks for no more rights than the Exec RPC, by which the same commands run.
type faultService struct {
	faultv1.UnimplementedFaultServiceServer
	faults *network.Faults
}

// SetFault implements faultv1.FaultServiceServer.
func (s faultService) SetFault(_ context.Context, req *faultv1.SetFaultRequest) (*faultv1.SetFaultResponse, error) {
	var rule network.Rule
	var err error
	if req.GetRule() != nil {
		rule = ruleFromProto(req.GetRule())
	} else {
		rule, err = network.ParseRule(req.GetText())
	}
	if err == nil {
		rule, err = s.faults.Set(rule)
	}
	if err != nil {
		return nil, faultStatus(err)
	}
	return &faultv1.SetFaultResponse{Rule: ruleToProto(rule), Text: rule.String()}, nil
}

// ListFaults implements faultv1.FaultServiceServer.
func (s faultService) ListFaults(context.Context, *faultv1.ListFaultsRequest) (*faultv1.ListFaultsResponse, error) {
	var resp faultv1.ListFaultsResponse
	for _, f := range s.faults.List() {
		out := &faultv1.Fault{Rule: ruleToProto(f.Rule), Text: f.Rule.String(), LeftNs: int64(f.Left)}
		for _, h := range f.Links {
			out.Hits = append(out.Hits, &faultv1.Hits{From: h.From, To: h.To, Hits: h.Hits, Lost: h.Lost})
		}
		resp.Faults = append(resp.Faults, out)
	}
	return &resp, nil
}

// HealFaults implements faultv1.FaultServiceServer.
func (s faultService) HealFaults(_ context.Context, req *faultv1.HealFaultsRequest) (*faultv1.HealFaultsResponse, error) {
	changed := 1
	switch which := req.GetWhich().(type) {
	case *faultv1.HealFaultsRequest_Id:
		if err := s.faults.Heal(which.Id); err != nil {
			return nil, faultStatus(err)
		}
	case *faultv1.HealFaultsRequest_Link:
		n, err := s.faults.HealLink(which.Link.GetA(), which.Link.GetB())
		if err != nil {
			return nil, faultStatus(err)
		}
		changed = n
	default:
		changed = s.faults.HealAll()
	}
	return &faultv1.HealFaultsResponse{Changed: uint32(changed)}, nil
}

// faultStatus maps the errors of faults.
func faultStatus(err error) error {
	code := codes.InvalidArgument
	switch {
	case errors.Is(err, network.ErrNoFault):
		code = codes.NotFound
	case errors.Is(err, network.ErrTooManyFaults):
		code = codes.ResourceExhausted
	case errors.Is(err, network.ErrFaultsClosed):
		code = codes.Unavailable
	}
	return status.Error(code, err.Error())
}

// kinds and channels are the words of the schema for those of network.
var (
	kinds = map[faultv1.Kind]network.FaultKind{
		faultv1.Kind_KIND_PARTITION: network.Partition, faultv1.Kind_KIND_LATENCY: network.Latency, faultv1.Kind_KIND_LOSS: network.Loss,
		faultv1.Kind_KIND_DUPLICATE: network.Duplicate, faultv1.Kind_KIND_REORDER: network.Reorder, faultv1.Kind_KIND_BANDWIDTH: network.Bandwidth,
	}
	channels = map[faultv1.Channel]network.Channel{
		faultv1.Channel_CHANNEL_PACKETS: network.Packets, faultv1.Channel_CHANNEL_STREAMS: network.Streams, faultv1.Channel_CHANNEL_RPC: network.RPC,
	}
)

// ruleFromProto converts a rule; what has no word becomes empty, and Validate refuses it.
func ruleFromProto(in *faultv1.Rule) network.Rule {
	r := network.Rule{
		ID: in.GetId(), Kind: kinds[in.GetKind()], Delay: time.Duration(in.GetDelayNs()), Jitter: time.Duration(in.GetJitterNs()),
		Percent: in.GetPercent(), BytesPerSecond: in.GetBytesPerSecond(), OneWay: in.GetOneWay(), For: time.Duration(in.GetForNs()),
	}
	for _, g := range in.GetGroups() {
		r.Groups = append(r.Groups, g.GetNames())
	}
	for _, e := range in.GetExcept() {
		r.Except = append(r.Except, [2]string{e.GetA(), e.GetB()})
	}
	for _, ch := range in.GetChannels() {
		r.Channels = append(r.Channels, channels[ch])
	}
	return r
}

func ruleToProto(r network.Rule) *faultv1.Rule {
	p := &faultv1.Rule{
		Id: r.ID, DelayNs: int64(r.Delay), JitterNs: int64(r.Jitter),
		Percent: r.Percent, BytesPerSecond: r.BytesPerSecond, OneWay: r.OneWay, ForNs: int64(r.For),
	}
	for word, kind := range kinds {
		if kind == r.Kind {
			p.Kind = word
		}
	}
	for _, g := range r.Groups {
		p.Groups = append(p.Groups, &faultv1.Group{Names: g})
	}
	for _, e := range r.Except {
		p.Except = append(p.Except, &faultv1.Link{A: e[0], B: e[1]})
	}
	for _, ch := range r.Channels {
		for word, channel := range channels {
			if channel == ch {
				p.Channels = append(p.Channels, word)
			}
		}
	}
	return p
}
