package peer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/membership"
	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// leaveTimeout bounds how long a goodbye may take: applications flush, and gossip spreads it.
const leaveTimeout = 5 * time.Second

// Progress tells the user what a step is doing.
type Progress func(format string, args ...any)

// Init does all steps that are still to be done, in order. When one fails, those that
// it did are undone.
func (p *Peer) Init(ctx context.Context, say Progress) error {
	return p.initTelling(ctx, say, func(string) {})
}

// initTelling is Init that tells of each step that is done.
func (p *Peer) initTelling(ctx context.Context, say Progress, done func(step string)) error {
	ctx, release, err := p.enter(ctx)
	if err != nil {
		return err
	}
	defer release()
	fresh := p.membership() == nil
	err = p.init(ctx, say, done)
	if err != nil && errors.Is(context.Cause(ctx), ErrInterrupted) {
		err = ErrInterrupted // and not what that did to the step
	}
	if err != nil && fresh {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		defer cancel()
		_, undo := p.leave(ctx)
		err = errors.Join(err, undo)
	}
	return err
}

func (p *Peer) init(ctx context.Context, say Progress, done func(step string)) error {
	steps := []struct {
		name string
		do   func(context.Context, Progress) error
	}{{"member create", p.create}, {"bootstrap join", p.register}, {"member start", p.start}, {"member join", p.joinRoster}}
	for _, step := range steps {
		if err := step.do(ctx, say); err != nil {
			return err
		}
		done(step.name)
	}
	for _, h := range p.apps {
		if err := h.start(ctx); err != nil {
			return err
		}
		done(h.app.Name() + " start")
	}
	return nil
}

// register is bootstrapJoin, unless a keeper sees to that already.
func (p *Peer) register(ctx context.Context, say Progress) error {
	p.mu.Lock()
	k := p.keeper
	p.mu.Unlock()
	if k != nil {
		return nil
	}
	return p.bootstrapJoin(ctx, say)
}

// create lets membership listen, as a new incarnation with an id of its own. Doing it again is no error.
func (p *Peer) create(ctx context.Context, _ Progress) error {
	if p.membership() != nil {
		return nil
	}
	p.tune.Lock()
	defer p.tune.Unlock()
	cfg := membership.DefaultConfig()
	cfg.ID = uuid.NewString()
	cfg.Name = p.cfg.Name
	cfg.Group = p.groupName()
	cfg.BindAddr, cfg.Advertise = p.cfg.Gossip, p.cfg.Advertise
	cfg.Tuning = p.Tuning()
	cfg.JoinedAt = p.clock.Now()
	cfg.Key = p.deps.Security.GossipKey()
	cfg.Seeds = p.seeds
	cfg.OnEvent = p.onMember
	cfg.OnBroadcast = p.onBroadcast
	cfg.Clock = p.clock
	cfg.OnData = func(application string, e app.Entry) { p.onData(cfg.ID, application, e) }
	cfg.OnNameTaken = p.deps.NameTaken
	m, err := membership.New(cfg, p.faults, p.deps.Log)
	if err != nil {
		return err
	}
	if err := m.Listen(ctx); err != nil {
		return errors.Join(err, m.Close())
	}
	p.places.saw(m.Self())
	p.mu.Lock()
	p.members = m
	p.mu.Unlock()
	return nil
}

// start runs membership. Doing it again is no error.
func (p *Peer) start(ctx context.Context, _ Progress) error {
	m := p.membership()
	if m == nil {
		return errors.New("member start: membership does not listen yet; first: member create (or init)")
	}
	if m.TransportDown() {
		return errors.New("member start: the transport is shut down; first: member leave (or member shutdown)")
	}
	p.mu.Lock()
	done := p.started
	p.mu.Unlock()
	if done {
		return nil
	}
	if err := m.Start(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	p.started = true
	p.mu.Unlock()
	// Membership tells of others only; readers of the log count this peer too.
	p.deps.Events.Emit(memberEvent(app.MemberEvent{Change: app.Joined, Member: m.Self()}))
	return nil
}

// joinRoster joins the members that the roster names. Where it names none, or none of them answers, those that are remembered
// are asked: in a split, a roster of few may name nobody of this side.
func (p *Peer) joinRoster(ctx context.Context, say Progress) error {
	if p.isJoined() {
		return nil
	}
	named := p.rosterAddrs()
	if len(named) == 0 && p.lastRoster() != nil {
		return p.join(ctx, say, nil) // it is the first of its group
	}
	remembered := slices.DeleteFunc(p.remembered(), func(a string) bool { return slices.Contains(named, a) })
	return p.join(ctx, say, named, remembered)
}

// join joins the members at the addresses of the first list, or, if none of them answers, of the next. With no address, this peer is
// the first of its group. Members that do not answer are tried again in the background for as long as the peer runs.
func (p *Peer) join(ctx context.Context, say Progress, lists ...[]string) error {
	m, err := p.runningMembership("member join")
	if err != nil {
		return err
	}
	for _, addrs := range lists {
		// Also without an address, so that it looks for others from now on: those who find an empty roster at the same time are one group.
		n, err := m.Join(ctx, addrs)
		if errors.Is(err, membership.ErrNameTaken) {
			return err
		}
		if n > 0 {
			break
		}
		if err != nil {
			say("no member answered at %v yet: %v; trying on in the background", addrs, err)
		}
	}
	p.mu.Lock()
	p.joined = true
	p.mu.Unlock()
	p.settleIn()
	return p.announce(ctx)
}

// announce gossips the address of gRPC and the applications that run.
func (p *Peer) announce(ctx context.Context) error {
	m := p.membership()
	if m == nil {
		return nil
	}
	var names []string
	for _, h := range p.apps {
		if h.isRunning() {
			names = append(names, h.app.Name())
		}
	}
	return m.SetMeta(ctx, p.rpcAddr(), names)
}

// Leave says goodbye and ends membership; the gRPC server serves on, and Init may follow. A step that
// runs is ended.
func (p *Peer) Leave(ctx context.Context) error {
	ctx, release, err := p.enterFirst(ctx, true)
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	spread, err := p.leave(ctx)
	if !spread {
		p.log.Info().Msg(membership.ErrNotSpread.Error())
	}
	return err
}

// leave runs backwards, but for one thing: the place in the roster is given up before the group
// hears of it, because the oldest others offer themselves for it as soon as they do. spread is false when there was no time
// for the goodbye to reach all.
func (p *Peer) leave(ctx context.Context) (spread bool, err error) {
	var errs []error
	for i := len(p.apps) - 1; i >= 0; i-- {
		errs = append(errs, p.apps[i].halt(ctx))
	}
	p.mu.Lock()
	m, started, k := p.members, p.started, p.keeper
	p.mu.Unlock()
	if k != nil {
		errs = append(errs, k.leave(ctx))
	}
	spread = true
	if m != nil && started {
		err := m.Leave(ctx)
		if spread = !errors.Is(err, membership.ErrNotSpread); spread {
			errs = append(errs, err)
		}
	}
	return spread, errors.Join(append(errs, p.drop(ctx))...)
}

// drop ends membership without a goodbye, and with it what depends on it.
func (p *Peer) drop(ctx context.Context) error {
	p.rememberNow() // what is known of the others, as long as it is
	var errs []error
	for _, h := range p.apps {
		errs = append(errs, h.halt(ctx))
	}
	p.mu.Lock()
	m, k, started := p.members, p.keeper, p.started
	p.members, p.keeper, p.roster = nil, nil, nil
	p.started, p.joined = false, false
	p.mu.Unlock()
	if k != nil {
		k.close()
	}
	if m != nil {
		self := m.Self()
		errs = append(errs, m.Close())
		if started {
			p.deps.Events.Emit(memberEvent(app.MemberEvent{Change: app.HasLeft, Member: self}))
		}
	}
	return errors.Join(errs...)
}

func (p *Peer) isJoined() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.joined
}

func (p *Peer) lastRoster() *bootstrapv1.Roster {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.roster
}

// self is this peer as an entry of the roster.
func (p *Peer) self() (*bootstrapv1.Peer, error) {
	m := p.membership()
	if m == nil {
		return nil, errors.New("membership does not listen yet, so that there is no address to tell; first: member create (or init)")
	}
	return rosterEntry(m.Self())
}

// onMember is told of each change of the view, from one goroutine.
func (p *Peer) onMember(e app.MemberEvent) {
	p.telling <- struct{}{}
	defer func() { <-p.telling }()
	p.deps.Events.Emit(memberEvent(e))
	p.log.Info().Str("peer", e.Member.Name).Str("addr", e.Member.Addr).Msg(string(e.Change))
	p.places.saw(e.Member)
	p.places.forget(p.Members)
	gone := e.Change == app.HasLeft || e.Change == app.WasLost
	p.mu.Lock()
	k := p.keeper
	p.mu.Unlock()
	if k != nil && gone {
		k.gone(e.Member)
	}
	for _, h := range p.apps {
		h.observe(e)
	}
	if gone && !p.served(e.Member.RPCAddr) {
		p.conns.forget(e.Member.RPCAddr)
	}
	if e.Change == app.Joined {
		p.remember()
	}
}

// served reports whether a live member has announced that address: a restart may have taken it over.
func (p *Peer) served(rpcAddr string) bool {
	return p.number(func(m app.Member) bool { return m.Live() && m.RPCAddr == rpcAddr }) > 0
}

func (p *Peer) onBroadcast(application string, from app.Member, payload []byte) {
	for _, h := range p.apps {
		if h.app.Name() == application {
			h.receive(from, payload)
		}
	}
}
