package app

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
)

// ErrNotStarted is what a command returns whose application is not running.
var ErrNotStarted = errors.New("not started")

// Errors of Peer.Send.
var (
	// ErrGone is that the member has left or was lost, or is not known.
	ErrGone = errors.New("the member is gone")
	// ErrNotRunning is that the member is there, and does not run the application.
	ErrNotRunning = errors.New("the application does not run there")
)

// Peer is what a running peer offers its applications. All methods may be called from any goroutine.
type Peer interface {
	// Self is this member.
	Self() Member
	// Members is a copy of this peer's view, oldest first, with itself; states may differ between peers.
	Members() []Member
	// Dial returns a connection to the gRPC server of a member. It is shared by all users,
	// connects in the background and is closed by the peer when the member is gone.
	// The address is that of m.RPCAddr; an empty one is an error.
	Dial(m Member) (grpc.ClientConnInterface, error)
	// Send delivers payload to the same application of one member, and returns when its Receive has returned; nil
	// means that. While the member cannot be reached it is tried again, until ctx ends, or for 10 s if ctx has no
	// deadline. The message is delivered at most once, and what one goroutine sends to one member by Send after Send is
	// received in that order. After an error it may have been received all the same; but never after a message
	// whose Send began later and returned nil.
	//
	// Errors other than that of ctx are ErrGone, ErrNotRunning, a Receive that panicked, and more than MaxSend bytes.
	// Up to 64 Sends to one member are under way at a time; others wait for them. It must not be called from Receive
	// or Observe, which may not wait.
	Send(ctx context.Context, to Member, payload []byte) error
	// Broadcast gossips payload to the same application of all members: at least once is
	// attempted, each member delivers it at most once, and order is not kept. At most
	// MaxBroadcast bytes; more is an error.
	Broadcast(payload []byte) error
	// Data are keys and values that all members replicate; each application has its own.
	Data() Data
	// Clock is the peer's clock. It moves on with the stamps of others.
	Clock() Clock
	// Emit adds an event to the peer's log. Seq, node and time are filled in.
	Emit(*eventv1.Event)
	// Show prints one line to the user, above a live prompt, and logs it as an event "shown".
	// Control characters are stripped. view names the kind of line, such as "messages".
	Show(view, line string)
	// Logger is the peer's logger with the application's name.
	Logger() zerolog.Logger
}

// MaxBroadcast is the largest payload of Peer.Broadcast in bytes: memberlist never sends a
// broadcast that does not fit into one packet of 1400 bytes, with label, encryption and framing.
const MaxBroadcast = 1024

// MaxSend is the largest payload of Peer.Send in bytes: a quarter of what gRPC takes, so that one message does not
// hold up the others on the connection for long.
const MaxSend = 1 << 20

// State is what a peer believes of a member.
type State string

// The states of a member. Left and lost differ: who left said so.
const (
	Alive   State = "alive"
	Suspect State = "suspect"
	Left    State = "left"
	Lost    State = "lost"
)

// Member is a peer as seen by a peer. It is a copy, and safe to keep.
type Member struct {
	// ID is a UUID, new for each start of a peer.
	ID string
	// Name is what users call it; unique among live members of a group.
	Name string
	// Addr is host:port of gossip.
	Addr string
	// RPCAddr is host:port of gRPC; empty until it is announced.
	RPCAddr string
	State   State
	// JoinedAt is when the peer started, by its own clock.
	JoinedAt time.Time
	// Apps are the names of the applications that run there.
	Apps []string
	// RTT is the round-trip time of the last probe; 0 when not yet known.
	RTT  time.Duration
	Self bool
}

// Live reports whether the member is in the group, as far as is known: alive, or suspect.
func (m Member) Live() bool { return m.State == Alive || m.State == Suspect }

// Runs reports whether the member has announced the application.
func (m Member) Runs(application string) bool {
	for _, a := range m.Apps {
		if a == application {
			return true
		}
	}
	return false
}

// Change is what happened to a member.
type Change string

// The changes of a member, named like the events they are logged as.
const (
	Joined    Change = "joined"
	Suspected Change = "suspected"
	// Recovered is a suspicion refuted, or a lost member that came back.
	Recovered Change = "recovered"
	// HasLeft is a member that said goodbye.
	HasLeft Change = "left"
	// WasLost is a member that was declared dead without a goodbye.
	WasLost Change = "lost"
	// Updated is a live member with another address or other applications.
	Updated Change = "updated"
)

// MemberEvent is a change in this peer's view. Member is the state after it.
type MemberEvent struct {
	Change Change
	Member Member
}
