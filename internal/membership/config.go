package membership

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"peerlab.example/peerlab/app"
)

// Limits of what members tell about themselves.
const (
	// maxName and maxGroup are in bytes; with the other fields a name must fit into the 512
	// bytes of memberlist's node meta, and a group into its label of 255.
	maxName  = 64
	maxGroup = 128
	// maxID is in bytes; a UUID has 36.
	maxID = 64
	// maxApps is how many applications a member may announce.
	maxApps = 32
)

// Config says who a node is and how it behaves. A Config is for one Node.
type Config struct {
	// ID is new for each start: a restart under the same name is another incarnation. A UUID.
	ID string
	// Name is what users call it.
	Name string
	// Group separates groups: packets and streams of others are dropped. Not empty.
	Group string
	// BindAddr is host:port to listen on, for packets and streams; port 0 means any free one.
	BindAddr string
	// Advertise is the host that others reach it at, when BindAddr is unspecified (0.0.0.0); else empty.
	Advertise string
	// Key encrypts gossip: 16, 24 or 32 bytes for AES-128, -192 or -256; none means plain text.
	Key []byte
	// JoinedAt is when the peer started. It decides who is older.
	JoinedAt time.Time
	Tuning   Tuning
	// Seeds gives gossip addresses at which members of the group may be found, such as those of
	// the roster; they are tried again and again while they are not in the view. It is called from
	// one goroutine and must answer from memory. May be nil.
	Seeds func() []string
	// OnEvent is told of each change of the view but those of this node itself, in order, from one
	// goroutine. Until it returns, the view stands still. It may call all methods but Leave and Close. May be nil.
	OnEvent func(app.MemberEvent)
	// OnNameTaken is told when a live member turns out to have this node's name by right only after
	// Join: it joined at the same moment, or behind a cut. err is an ErrNameTaken; this node should
	// leave. It is called from a goroutine that Close waits for. May be nil.
	OnNameTaken func(err error)
	// OnBroadcast is given each broadcast once, from the same goroutine. May be nil.
	OnBroadcast func(application string, from app.Member, payload []byte)
	// OnData is told, from the same goroutine, of each change of the replicated data, of this node's own too: entry is
	// valid from then on. Stamp.Node says who wrote. May be nil.
	OnData func(application string, entry app.Entry)
	// Clock stamps what this node writes. A peer that makes one Node after another gives each the same. May be nil.
	Clock *Clock
}

// DefaultConfig is a node on loopback with the lan profile; ID and Name are still to be set.
func DefaultConfig() Config {
	t, _ := profile("lan")
	return Config{Group: "default", BindAddr: "127.0.0.1:0", JoinedAt: time.Now(), Tuning: t}
}

// Validate lists all that is wrong, one problem a line.
func (c Config) Validate() error {
	errs := []error{c.Tuning.Validate(), checkText("name", c.Name, maxName), checkText("group", c.Group, maxGroup)}
	if len(c.ID) < idInName || len(c.ID) > maxID {
		errs = append(errs, fmt.Errorf("id %q must have %d to %d bytes", c.ID, idInName, maxID))
	}
	switch len(c.Key) {
	case 0, 16, 24, 32:
	default:
		errs = append(errs, fmt.Errorf("gossip key has %d bytes; it must have 16, 24 or 32", len(c.Key)))
	}
	errs = append(errs, c.checkAddr())
	return errors.Join(errs...)
}

func (c Config) checkAddr() error {
	host, port, err := net.SplitHostPort(c.BindAddr)
	if err != nil {
		return fmt.Errorf("gossip address %q: %w", c.BindAddr, err)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil && host != "" {
		return fmt.Errorf("gossip address %q: %q is not an IP address", c.BindAddr, host)
	}
	if _, err := netip.ParseAddrPort(net.JoinHostPort("127.0.0.1", port)); err != nil {
		return fmt.Errorf("gossip address %q: %q is not a port", c.BindAddr, port)
	}
	if c.Advertise != "" {
		if a, err := netip.ParseAddr(c.Advertise); err != nil || a.IsUnspecified() {
			return fmt.Errorf("advertised address %q is not the IP address of a host", c.Advertise)
		}
	} else if host == "" || ip.IsUnspecified() {
		return fmt.Errorf("gossip address %q names no host that others can reach; set the advertised address", c.BindAddr)
	}
	return nil
}

// checkText refuses what would hurt a terminal, a log or a packet.
func checkText(what, s string, most int) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is empty", what)
	case len(s) > most:
		return fmt.Errorf("%s has %d bytes; %d is the most", what, len(s), most)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s %q is not valid UTF-8", what, s)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%s %q has characters that do not print", what, s)
	}
	return nil
}
