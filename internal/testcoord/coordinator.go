package testcoord

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// Options are what a run needs beyond its suite. The zero value waits for peers that others start.
type Options struct {
	// Runner starts the peers; nil when they are started by somebody else and attach on their own.
	Runner Runner
	// Bootstrap is asked for the roster of Group, and judges "roster size"; when nil, the newest
	// roster that each peer has logged does.
	Bootstrap bootstrapv1.BootstrapServiceClient
	Group     string
	// Control is that service, where the suite may do to it what it wants; nil where it is somebody else's.
	Control BootstrapControl
	// Faults puts rules of the network in force where the runner does; nil where the peers do.
	Faults Faults
	// RunnerName is one of Runners, for $RUNNER and for conditions; empty means "process", or without a Runner "attach".
	RunnerName string
	// Facts are what else conditions can ask for and holds: "linux", "root".
	Facts []string
	// Seed is what chance is made of; a suite chooses the same peers with the same seed.
	Seed uint64
	// Out gets one line per step and the summary; nil is nobody.
	Out io.Writer
	// Color allows colours in Out.
	Color bool
	// Verbose shows the output of commands that did not fail, too.
	Verbose bool
	// Screen, if set, shows the run in the place of Out. It gets each step with its Outputs, and Verbose is its own affair; so do the
	// observer and the result.
	Screen Screen
	// KeepGoing goes on after a step that failed.
	KeepGoing bool
	// Timeout bounds the run of a suite that has no timeout of its own; 0 is no bound.
	Timeout time.Duration
	// StepTimeout bounds a command; 0 means 30s.
	StepTimeout time.Duration
	// StartTimeout bounds the time until all peers have attached; 0 means 30s.
	StartTimeout time.Duration
	// Invite is how to start the peer of that name, for those who start the peers when there is no Runner; nil tells nothing.
	Invite func(name string) string
	// Lost names peers that will not attach any more, and Whereabouts is what is known of one that has not, for those who start peers
	// elsewhere; nil for both knows nothing.
	Lost        <-chan string
	Whereabouts func(name string) []string
	// KeepEvents is how many events of each peer are kept; 0 means DefaultKeepEvents. What a peer sends beyond that is
	// counted as lost on the way, and told.
	KeepEvents int
	// Keep, if set, is called when a run has failed, before its cleanup and while its peers still run. The run goes on when it
	// returns; the end of ctx before that is no interruption of the run, which is over.
	Keep func(ctx context.Context, peers []PeerNow)
	// Before, if set, is called before each step that is no block, one at a time. The suite's timeout does not hold then, since
	// a person takes their time. An error ends the step; to end the run, end its context.
	Before func(ctx context.Context, s StepRecord) error
	// Observer is told what happens, as it happens; nil is nobody.
	Observer Observer
	// EndTimeout is how long a peer may take to leave when asked; 0 means 10s.
	EndTimeout time.Duration
	// Log gets what a developer of peerlab wants to know.
	Log zerolog.Logger
}

// Timing that no suite needs to change.
const (
	// settle is how long an exact count must hold, so that one too many is seen.
	settle = 100 * time.Millisecond
	// halfGrace is how long to wait for the process of a lost stream to end, so that its status can be
	// told, and for the rest of the stream of a process that ended.
	halfGrace = 2 * time.Second
	// killGrace is how long a process may take to end after SIGTERM, and a command after it was cancelled.
	killGrace = 2 * time.Second
)

// Coordinator runs one suite once. It is the service that the peers attach to, and the only scheduler.
type Coordinator struct {
	testcoordv1.UnimplementedCoordinatorServiceServer
	suite  *Suite
	opt    Options
	log    zerolog.Logger
	screen Screen

	vars     store
	faulting sync.Mutex // held while rules change
	// Guarded by faulting:
	orders     []order // those that put the rules in force that are in force, in order
	faultCount int     // how many rules the suite has set

	reporting sync.Mutex // held while something is recorded or shown
	// Guarded by reporting:
	result  *Result
	section *SectionRecord
	filters []*pendingFilter
	told    int // how many of deaths are reported
	refused int // how many attaches were refused
	runs    int // how many steps were run

	stepping sync.Mutex // held while Before is called

	group sync.WaitGroup // streams, and watchers of processes

	mu       sync.Mutex
	start    time.Time           // guarded by mu
	peers    map[string]*peer    // fixed; what is in it is guarded by mu
	watchers map[*watcher]bool   // guarded by mu
	lives    []*life             // guarded by mu; all that have a process
	deaths   []*life             // guarded by mu; ends that nobody asked for
	rates    map[string][]Sample // guarded by mu; that were measured, by name
	steps    uint64              // guarded by mu; the last id of a command
	roster   int                 // guarded by mu; -1 when not known
	broke    chan struct{}       // guarded by mu; closed when the stream of rosters ends
	closed   bool                // guarded by mu; the run is over
	observed bool                // guarded by mu; the observer is told
	phase    Phase               // guarded by mu
	doing    []*doing            // guarded by mu; the steps that run, in the order in which they began
	arrived  chan struct{}       // guarded by mu; closed and replaced when a peer has attached, or was lost again
}

// New returns a coordinator, which starts nothing before Run. Peers that are started by somebody
// else may attach at once.
func New(suite *Suite, opt Options) *Coordinator {
	orElse := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	orElse(&opt.StepTimeout, 30*time.Second)
	orElse(&opt.StartTimeout, 30*time.Second)
	orElse(&opt.EndTimeout, 10*time.Second)
	opt.KeepEvents = cmp.Or(opt.KeepEvents, DefaultKeepEvents)
	opt.RunnerName = runnerName(&opt)
	opt.Facts = append(slices.Clone(opt.Facts), opt.RunnerName)
	if opt.Out == nil {
		opt.Out = io.Discard
	}
	screen := opt.Screen
	if screen == nil {
		screen = NewScreen(opt.Out, opt.Color)
	}
	c := &Coordinator{
		suite: suite, opt: opt, log: opt.Log.With().Str("component", "testcoord").Logger(),
		screen: screen,
		start:  time.Now(), peers: map[string]*peer{}, watchers: map[*watcher]bool{}, rates: map[string][]Sample{}, roster: -1, broke: make(chan struct{}),
		arrived: make(chan struct{}), phase: Waiting,
	}
	c.setGiven()
	for _, name := range suite.Peers {
		p := &peer{name: name}
		if opt.Bootstrap != nil {
			p.roster = func() int { return c.roster }
		}
		if opt.Runner == nil {
			c.newLife(p, nil).early = true
		}
		c.peers[name] = p
	}
	return c
}

// newLife begins a life of the peer, which remembers nothing. The lock is held, or nobody else knows the coordinator yet.
func (c *Coordinator) newLife(p *peer, process Process) *life {
	p.view, p.ran, p.output, p.result = view{}, false, "", ""
	p.life = &life{
		peer: p, process: process, n: len(p.lives), logFrom: len(p.log), calls: map[uint64]*call{},
		attached: make(chan struct{}), gone: make(chan struct{}), from: time.Now(),
	}
	p.lives = append(p.lives, p.life)
	c.tellLife(p.life)
	return p.life
}

// take takes an event of a peer in, and tells those who watch. The lock is held.
func (c *Coordinator) take(l *life, e *eventv1.Event) {
	p := l.peer
	l.seq = max(l.seq, e.GetSeq())
	if !c.keep(p, e) {
		c.changed(p, nil)
		return
	}
	taken := entry{Event: e, at: time.Now(), life: l.n}
	p.log = append(p.log, taken)
	c.tellEvent(p, taken)
	p.view.fold(e)
	c.changed(p, e)
}

// changed tells the watchers that something about a peer is new; e may be nil. The lock is held.
func (c *Coordinator) changed(p *peer, e *eventv1.Event) {
	for w := range c.watchers {
		w.changed(p, e)
	}
}

// settleCalls ends the calls of a life that are done and whose events have all arrived. The lock is held.
func (c *Coordinator) settleCalls(l *life) {
	for id, k := range l.calls {
		if k.done == nil || k.done.GetEventSeq() > l.seq {
			continue
		}
		delete(l.calls, id)
		if !k.aside {
			l.peer.ran, l.peer.output, l.peer.result = true, k.output.String(), k.done.GetResultJson()
		}
		close(k.ended)
		c.changed(l.peer, nil)
	}
}

// half notes that the stream or the process of a life has ended, and ends the life when both have,
// or when the other half takes too long. The lock is held.
func (c *Coordinator) half(l *life) {
	noProcess := l.process == nil || l.exited
	noStream := l.session == nil || l.detached
	if noProcess && noStream {
		c.over(l)
		return
	}
	if l.grace == nil && l.parting == "" {
		l.grace = time.AfterFunc(halfGrace, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.over(l)
		})
	}
}

// over ends a life: all that waits for the peer fails at once. The lock is held.
func (c *Coordinator) over(l *life) {
	if l.isGone() {
		return
	}
	if l.grace != nil {
		l.grace.Stop()
	}
	if l.session != nil {
		l.session.end()
	}
	l.death, l.to = l.describeEnd(), time.Now()
	if l.parting == "" && !l.early {
		c.deaths = append(c.deaths, l)
	}
	for id, k := range l.calls {
		delete(l.calls, id)
		if k.done == nil {
			k.err = &diedError{name: l.peer.name, how: l.death}
		}
		close(k.ended)
	}
	close(l.gone)
	c.tellLife(l)
	if l.early && !c.closed {
		c.expectAgain(l)
	}
	c.changed(l.peer, nil)
}

// diedError is a peer that ended while something waited for it.
type diedError struct{ name, how string }

func (e *diedError) Error() string { return e.name + " " + e.how }
