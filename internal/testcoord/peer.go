package testcoord

import (
	"fmt"
	"strings"
	"time"

	eventv1 "peerlab.example/peerlab/proto/peerlab/event/v1"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// maxOutput is how much of a command's output is kept, in bytes.
const maxOutput = 1 << 20

// peer is what the coordinator knows of one peer of the suite. All of it is guarded by Coordinator.mu.
type peer struct {
	name string
	// log is every event of all lives of the peer.
	log  []entry
	view view
	// missed counts events that never arrived because the stream was slow.
	missed uint64
	// bytes is how much log is, as it came; beyond counts the events that were not kept, which missed counts, too.
	bytes  int
	beyond uint64
	// Of the command that ended last:
	ran    bool
	output string
	result string // JSON
	// life is the current or the last life; nil before the first. lives are all of them.
	life  *life
	lives []*life
	// roster tells the size of the roster at the service; nil when nobody watches it.
	roster func() int
}

type entry struct {
	*eventv1.Event
	at   time.Time // when it arrived
	life int       // the place of its life in peer.lives
}

// life is one start of a peer, up to its end.
type life struct {
	peer *peer
	// process is nil when the peer was started by somebody else.
	process Process
	// session is the stream of the peer while it is attached.
	session  *session
	attached chan struct{} // closed when the peer has attached
	gone     chan struct{} // closed when its stream and its process have both ended
	// parting says why the end is wanted: "stop", "kill", "quit" or "end"; empty while it is not.
	parting string
	// exited and detached say which halves have ended.
	exited, detached bool
	// death says how it ended; set when gone is closed.
	death    string
	from, to time.Time   // when it began and ended
	grace    *time.Timer // ends the wait for the other half
	frozen   bool        // its process is stopped
	addr     string      // of its gRPC server, as it has said
	early    bool        // the peer attached by itself, and the run has not begun: that it goes is no failure
	n        int         // its place in peer.lives
	logFrom  int         // where in the peer's log it begins
	seq      uint64      // the last event that arrived
	calls    map[uint64]*call
}

// call is one command at one peer.
type call struct {
	id        uint64
	life      *life
	aside     bool // it is no line of the suite, and what it says is not what "output" and "json" look at
	output    strings.Builder
	done      *testcoordv1.Done // nil until the peer said so
	err       error             // the peer died
	cancelled bool
	ended     chan struct{} // closed when done or err is set, or the coordinator has given up
}

func (k *call) over() bool {
	select {
	case <-k.ended:
		return true
	default:
		return false
	}
}

// isGone reports whether the life is over.
func (l *life) isGone() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// isUp reports whether commands can be sent.
func (l *life) isUp() bool { return l != nil && l.session != nil && l.parting == "" && !l.isGone() }

// wanted reports whether the suite has not ended the peer.
func (p *peer) wanted() bool { return p.life == nil || p.life.parting == "" }

// why says why the peer is not up.
func (p *peer) why() string {
	switch {
	case p.life == nil:
		return "is not started"
	case p.life.isGone():
		return p.life.death
	case p.life.parting != "":
		return "is ending (" + p.life.parting + ")"
	case p.life.session == nil:
		return "has not attached"
	case p.life.frozen:
		return "is frozen"
	}
	return "is up"
}

// idle is v while a command runs there, and else hopeless: nothing will change the last output.
func (p *peer) idle(v verdict) verdict {
	if p.life != nil {
		for _, k := range p.life.calls {
			if !k.aside {
				return v
			}
		}
	}
	return hopeless
}

// rosterSize is the size of the roster, -1 when it is not known: that of the service if
// the coordinator watches it, else of the newest roster that the peer has seen.
func (p *peer) rosterSize() int {
	if p.roster != nil {
		return p.roster()
	}
	for i := len(p.log) - 1; i >= 0; i-- {
		if r := p.log[i].GetRoster(); r != nil {
			return int(r.GetSize())
		}
	}
	return -1
}

func (l *life) describeEnd() string {
	status := ""
	if l.process != nil && l.exited {
		status = l.process.Status()
	}
	switch {
	case l.parting == "kill":
		return "was killed by the suite"
	case l.parting != "":
		return "has ended (" + l.parting + ")"
	case status != "" && l.session == nil:
		return fmt.Sprintf("ended before it attached: %s", status)
	case status != "":
		return "died: " + status
	case l.exited:
		return "died"
	}
	return "was lost: its stream to the coordinator ended"
}
