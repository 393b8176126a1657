package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/internal/node"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// Options of a Service. The zero value is usable.
type Options struct {
	// Log gets what a user cares about: rosters that change, and a store that fails.
	Log zerolog.Logger
	// Emit gets a roster event for each change that this service makes, renewed leases
	// excepted; nil for none. It must not block. Events of changes that raced may come in another
	// order than the changes; their revision tells.
	Emit func(*eventv1.Event)
	// SweepInterval is how often ended leases are looked for when nobody calls; 0 means
	// one second. List and all changes honour a lease exactly, whatever this is.
	SweepInterval time.Duration
	// Meter may be nil.
	Meter Meter
}

// Service is the gRPC server of rosters over a Store. It holds no state of its own, so
// several services may share one store.
type Service struct {
	bootstrapv1.UnimplementedBootstrapServiceServer

	store Store
	emit  func(*eventv1.Event)
	meter Meter
	log   zerolog.Logger
	every time.Duration

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

var _ bootstrapv1.BootstrapServiceServer = (*Service)(nil)

// NewService returns a service over a store, which remains the caller's to close.
func NewService(store Store, o Options) *Service {
	s := &Service{
		store: store,
		emit:  o.Emit,
		meter: noMeter{},
		log:   o.Log.With().Str("component", "bootstrap").Logger(),
		every: o.SweepInterval,
	}
	if s.every == 0 {
		s.every = time.Second
	}
	if o.Meter != nil {
		s.store, s.meter = metered(store, o.Meter), o.Meter
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// OperatorMethods are the methods that need the role operator where there are roles: they change a
// whole group, and not only the caller's own entry.
func OperatorMethods() []string {
	return []string{bootstrapv1.BootstrapService_Reset_FullMethodName, bootstrapv1.BootstrapService_UpdateConfig_FullMethodName}
}

// Start drops ended leases from now on, also when nobody calls.
func (s *Service) Start() { s.tasks.Go(s.sweep) }

// Close ends the watches and the sweeping, and waits for the latter. It is idempotent. Close the
// service before the gRPC server is stopped gracefully, which waits for the watches.
func (s *Service) Close() error {
	s.cancel()
	s.tasks.Wait()
	return nil
}

// Healthy returns nil when the service can make changes.
func (s *Service) Healthy(ctx context.Context) error {
	if s.ctx.Err() != nil {
		return ErrClosed
	}
	return s.store.Healthy(ctx)
}

// Ping is that of bootstrapv1.BootstrapServiceServer, as are the methods below.
func (s *Service) Ping(ctx context.Context, _ *bootstrapv1.PingRequest) (*bootstrapv1.PingResponse, error) {
	if err := s.Healthy(ctx); err != nil {
		return nil, s.toStatus(err)
	}
	return &bootstrapv1.PingResponse{}, nil
}

// Join adds a peer while there is room.
func (s *Service) Join(ctx context.Context, req *bootstrapv1.JoinRequest) (*bootstrapv1.JoinResponse, error) {
	var v violations
	group := v.group(req.GetGroup())
	v.peer("peer", req.GetPeer())
	r, err := s.change(ctx, v, group, func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster {
		return Join(r, req.GetPeer(), now)
	})
	if err != nil {
		return nil, err
	}
	return &bootstrapv1.JoinResponse{Roster: r, Held: Held(r, req.GetPeer().GetId())}, nil
}

// Leave removes a peer.
func (s *Service) Leave(ctx context.Context, req *bootstrapv1.LeaveRequest) (*bootstrapv1.LeaveResponse, error) {
	var v violations
	group := v.group(req.GetGroup())
	v.id("id", req.GetId())
	r, err := s.change(ctx, v, group, func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster {
		return Leave(r, req.GetId(), now)
	})
	if err != nil {
		return nil, err
	}
	return &bootstrapv1.LeaveResponse{Roster: r}, nil
}

// Refill offers a live member for a place.
func (s *Service) Refill(ctx context.Context, req *bootstrapv1.RefillRequest) (*bootstrapv1.RefillResponse, error) {
	var v violations
	group := v.group(req.GetGroup())
	v.peer("candidate", req.GetCandidate())
	r, err := s.change(ctx, v, group, func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster {
		return Refill(r, req.GetCandidate(), now)
	})
	if err != nil {
		return nil, err
	}
	return &bootstrapv1.RefillResponse{Roster: r, Held: Held(r, req.GetCandidate().GetId())}, nil
}

// Renew extends a lease.
func (s *Service) Renew(ctx context.Context, req *bootstrapv1.RenewRequest) (*bootstrapv1.RenewResponse, error) {
	var v violations
	group := v.group(req.GetGroup())
	v.id("id", req.GetId())
	r, err := s.change(ctx, v, group, func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster {
		return Renew(r, req.GetId(), now)
	})
	if err != nil {
		return nil, err
	}
	return &bootstrapv1.RenewResponse{Roster: r, Held: Held(r, req.GetId())}, nil
}

// List returns the roster, from memory if the store has it there.
func (s *Service) List(ctx context.Context, req *bootstrapv1.ListRequest) (*bootstrapv1.ListResponse, error) {
	r, err := s.current(ctx, req.GetGroup())
	if err != nil {
		return nil, err
	}
	if known := req.GetKnownRevision(); known != 0 && known == r.GetRevision() {
		return &bootstrapv1.ListResponse{}, nil
	}
	return &bootstrapv1.ListResponse{Roster: r}, nil
}

// Reset empties the roster.
func (s *Service) Reset(ctx context.Context, req *bootstrapv1.ResetRequest) (*bootstrapv1.ResetResponse, error) {
	var v violations
	group := v.group(req.GetGroup())
	r, err := s.change(ctx, v, group, func(r *bootstrapv1.Roster, _ time.Time) *bootstrapv1.Roster {
		return Reset(r)
	})
	if err != nil {
		return nil, err
	}
	return &bootstrapv1.ResetResponse{Roster: r}, nil
}

// GetConfig returns the configuration of a group.
func (s *Service) GetConfig(ctx context.Context, req *bootstrapv1.GetConfigRequest) (*bootstrapv1.GetConfigResponse, error) {
	r, err := s.current(ctx, req.GetGroup())
	if err != nil {
		return nil, err
	}
	return &bootstrapv1.GetConfigResponse{Config: r.GetConfig()}, nil
}

// UpdateConfig changes some fields of the configuration.
func (s *Service) UpdateConfig(ctx context.Context, req *bootstrapv1.UpdateConfigRequest) (*bootstrapv1.UpdateConfigResponse, error) {
	var v violations
	group := v.group(req.GetGroup())
	set := v.config(req.GetConfig(), req.GetUpdateMask())
	r, err := s.change(ctx, v, group, func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster {
		return UpdateConfig(r, set, now)
	})
	if err != nil {
		return nil, err
	}
	return &bootstrapv1.UpdateConfigResponse{Roster: r}, nil
}

// Watch streams the roster: the current one at once, then the newest after each change.
func (s *Service) Watch(req *bootstrapv1.WatchRequest, stream grpc.ServerStreamingServer[bootstrapv1.WatchResponse]) error {
	first, err := s.current(stream.Context(), req.GetGroup())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	if err := stream.Send(&bootstrapv1.WatchResponse{Roster: first}); err != nil {
		return err
	}
	sent := first.GetRevision()
	for r, err := range s.store.Watch(ctx, first.GetGroup()) {
		if err != nil && s.ctx.Err() != nil {
			return status.Error(codes.Unavailable, "the bootstrap service ends")
		}
		if err != nil {
			return s.toStatus(err)
		}
		if r.GetRevision() <= sent {
			continue
		}
		if err := stream.Send(&bootstrapv1.WatchResponse{Roster: whole(r)}); err != nil {
			return err
		}
		sent = r.GetRevision()
	}
	return nil
}

// rule is one of the rules with the peer or id that it is about.
type rule func(r *bootstrapv1.Roster, now time.Time) *bootstrapv1.Roster

// current is the roster of a group without the entries whose lease has ended.
func (s *Service) current(ctx context.Context, group string) (*bootstrapv1.Roster, error) {
	var v violations
	group = v.group(group)
	if err := v.err(); err != nil {
		return nil, err
	}
	r, err := s.store.Load(ctx, group)
	if err != nil {
		return nil, s.toStatus(fmt.Errorf("load group %s: %w", group, err))
	}
	if anyExpired(r, time.Now()) {
		return s.change(ctx, nil, group, Expire)
	}
	return whole(r), nil
}

// change applies a rule to a group, unless the request has violations.
func (s *Service) change(ctx context.Context, v violations, group string, rule rule) (*bootstrapv1.Roster, error) {
	if err := v.err(); err != nil {
		return nil, err
	}
	r, err := s.apply(ctx, group, rule)
	if err != nil {
		return nil, s.toStatus(err)
	}
	return whole(r), nil
}

// apply is change with the error of the store.
func (s *Service) apply(ctx context.Context, group string, rule rule) (*bootstrapv1.Roster, error) {
	now := time.Now()
	before, after, err := update(ctx, s.store, group, func(r *bootstrapv1.Roster) *bootstrapv1.Roster {
		return rule(r, now)
	})
	if err != nil {
		return nil, err
	}
	if before != after {
		if n := countExpired(before, now); n > 0 { // each rule that changes something drops these first
			s.meter.LeasesEnded(n)
		}
	}
	s.announce(before, after)
	return after, nil
}

// whole is r with a configuration, which the roster of an unknown group lacks.
func whole(r *bootstrapv1.Roster) *bootstrapv1.Roster {
	if r.GetConfig() != nil {
		return r
	}
	return &bootstrapv1.Roster{Group: r.GetGroup(), Revision: r.GetRevision(), Config: DefaultConfig()}
}

// announce tells of a change, unless only leases were renewed.
func (s *Service) announce(before, after *bootstrapv1.Roster) {
	if before == after || samePeers(before, after) && proto.Equal(configOf(before), configOf(after)) {
		return
	}
	e := &eventv1.Roster{Group: after.GetGroup(), Revision: after.GetRevision(), Size: after.GetCount(), MaxPeers: configOf(after).GetMaxPeers()}
	for _, p := range after.GetPeers() {
		e.Peers = append(e.Peers, p.GetName())
	}
	s.log.Info().Str("group", e.GetGroup()).Uint64("revision", e.GetRevision()).Uint32("size", e.GetSize()).Msg("roster changed")
	if s.emit != nil {
		s.emit(&eventv1.Event{What: &eventv1.Event_Roster{Roster: e}})
	}
}

func samePeers(a, b *bootstrapv1.Roster) bool {
	if len(a.GetPeers()) != len(b.GetPeers()) {
		return false
	}
	for i, p := range a.GetPeers() {
		if p.GetId() != b.GetPeers()[i].GetId() {
			return false
		}
	}
	return true
}

// toStatus maps an error of the store to a status.
func (s *Service) toStatus(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, ErrTooManyGroups):
		s.meter.LimitHit(limitGroups)
		return node.Exceeded(limitGroups, 0, err.Error())
	case errors.Is(err, ErrTooLarge):
		return status.Error(codes.ResourceExhausted, err.Error())
	case !errors.Is(err, ErrClosed):
		s.log.Error().Err(err).Msg("store failed")
	}
	return status.Error(codes.Unavailable, err.Error())
}
