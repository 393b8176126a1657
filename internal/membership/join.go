package membership

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"peerlab.example/peerlab/app"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

const (
	// dialsAtOnce bounds the seeds that are asked at the same time.
	dialsAtOnce = 4
	// patience is how long a member whose name we want has to answer, if somebody listens at its
	// address: neither a lost packet nor a busy machine should make it look dead.
	patience = time.Second
)

// nameTakenError is ErrNameTaken with name and address.
type nameTakenError struct{ name, addr string }

func (e *nameTakenError) Error() string {
	return fmt.Sprintf("name %q is taken by a live member at %s", e.name, e.addr)
}
func (e *nameTakenError) Is(target error) bool { return target == ErrNameTaken }

// Join joins the members at the gossip addresses, several at a time, and returns how many are
// members of the group now. An error comes when there is none, or is ErrNameTaken: then a live
// member has this node's name, and this node should be closed; the others have not shown
// it to anybody. When Join returns, the view holds what the seeds knew.
//
// From the first Join on, the node tries seeds and lost members again by itself.
func (n *Node) Join(ctx context.Context, addrs []string) (int, error) {
	if _, err := n.active(); err != nil {
		return 0, fmt.Errorf("join: %w", err)
	}
	n.claiming.Store(true)
	defer n.claiming.Store(false)
	n.seeking.Store(true)
	addrs = n.others(addrs)
	joined, errs := n.contact(ctx, addrs)
	if err := n.claimName(ctx, true); err != nil {
		n.seeking.Store(false)
		return joined, err
	}
	if joined == 0 && len(addrs) > 0 {
		return 0, errors.Join(errs...)
	}
	if joined > 0 {
		reached := slices.DeleteFunc(addrs, func(a string) bool { return !n.view.listedAt(a) })
		n.spawn(func() { n.settle(reached) })
	}
	return joined, nil
}

// others are the addresses once each, without that of this node.
func (n *Node) others(addrs []string) []string {
	var out []string
	for _, a := range addrs {
		if a != n.Addr() && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// contact does a full sync with each address and waits for all, or for the end of ctx.
func (n *Node) contact(ctx context.Context, addrs []string) (joined int, errs []error) {
	results := make(chan error, len(addrs))
	turns := make(chan struct{}, dialsAtOnce)
	started := 0
	for _, a := range addrs {
		ok := n.spawn(func() {
			select {
			case turns <- struct{}{}:
				results <- n.contactOne(ctx, a)
				<-turns
			case <-ctx.Done():
				results <- fmt.Errorf("join %s: %w", a, ctx.Err())
			case <-n.ctx.Done():
				results <- fmt.Errorf("join %s: %w", a, ErrNotRunning)
			}
		})
		if ok {
			started++
		}
	}
	for range started {
		select {
		case err := <-results:
			if err != nil {
				errs = append(errs, err)
			} else {
				joined++
			}
		case <-ctx.Done():
			return joined, append(errs, ctx.Err())
		}
	}
	return joined, errs
}

// contactOne does a full sync and checks that the member is in the view: memberlist's Join
// reports success also when it took nobody in.
func (n *Node) contactOne(ctx context.Context, addr string) error {
	if err := n.pushPull(addr); err != nil {
		return err
	}
	n.barrier(ctx)
	if a, err := netip.ParseAddrPort(addr); err == nil && !n.view.listedAt(a.String()) {
		return fmt.Errorf("join %s: it answered, but is no member", addr)
	}
	return nil
}

// pushPull is a full sync with whoever is at the address. It ends with the dial and stream timeouts.
func (n *Node) pushPull(addr string) error {
	ml, err := n.active()
	if err != nil {
		return err
	}
	if _, err := ml.Join([]string{addr}); err != nil {
		return fmt.Errorf("join %s: %s", addr, reason(err, addr))
	}
	return nil
}

// What errors of a closed connection end with; memberlist passes on their texts only.
const (
	brokenPipe = "broken pipe"
	connReset  = "connection reset by peer"
)

// reason is the cause in an error of memberlist's Join, which is a list of texts with the address in them.
func reason(err error, addr string) string {
	if list, ok := err.(interface{ WrappedErrors() []error }); ok && len(list.WrappedErrors()) > 0 {
		err = list.WrappedErrors()[0]
	}
	text := strings.TrimPrefix(err.Error(), "failed to join "+addr+": ")
	// Which of these it is depends on how far this side had come with writing.
	if text == "EOF" || strings.HasSuffix(text, brokenPipe) || strings.HasSuffix(text, connReset) {
		return "it closed the connection; is it of another group, or with another gossip key?"
	}
	return text
}

// claimName is ErrNameTaken when a live member has the name. An older incarnation that does not
// answer is dead: this node tells the others, who would find out for themselves only later.
func (n *Node) claimName(ctx context.Context, joining bool) error {
	asked := make(map[string]bool)
	for {
		n.barrier(ctx)
		var e *entry
		for _, r := range n.view.rivals(time.Now(), joining) {
			if !asked[r.node] {
				e = r
			}
		}
		if e == nil {
			return nil
		}
		asked[e.node] = true
		if n.answers(ctx, e.node, e.Addr) {
			return &nameTakenError{name: e.Name, addr: e.Addr}
		}
		if ctx.Err() != nil || n.ctx.Err() != nil {
			return nil // not known; suspicion will tell
		}
		n.declareGone(ctx, e.Member)
	}
}

// checkNamesake looks after a member of our name that becomes known after Join.
func (n *Node) checkNamesake(m *app.Member) {
	if m.Name != n.cfg.Name || m.ID == n.cfg.ID || n.claiming.Load() || !n.seeking.Load() {
		return
	}
	n.spawn(func() {
		if err := n.claimName(n.ctx, false); err != nil {
			n.log.Error().Err(err).Msg("this peer should leave and come back under another name")
			n.cfg.OnNameTaken(err)
		}
	})
}

func (n *Node) declareGone(ctx context.Context, m app.Member) {
	n.log.Info().Str("peer", m.Name).Str("addr", m.Addr).Msg("an older member of this name does not answer; it is taken for lost")
	n.queue.put(note{call: func() { n.emit(n.view.goodbye(m.ID, n.cfg.ID, time.Now())) }})
	n.barrier(ctx)
	if err := n.send(&membershipv1.Gossip{What: &membershipv1.Gossip_Leave{Leave: &membershipv1.Leave{Id: m.ID}}}); err != nil {
		n.log.Warn().Err(err).Msg("telling that an older member is gone")
	}
}

// answers reports whether the node with that name is alive at the address. Where nobody listens, it is
// dead at once; where somebody does, it is asked by name, for it may be another.
func (n *Node) answers(ctx context.Context, node, addr string) bool {
	ml, err := n.active()
	if err != nil || addr == n.Addr() {
		return false
	}
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return false
	}
	conn, err := n.transport.dial(ctx, addr)
	if err != nil {
		return false
	}
	_ = memberlist.AddLabelHeaderToStream(conn, label(n.cfg.Group)) // or the other end logs an error
	_ = conn.Close()
	end := time.Now().Add(max(patience, n.Tuning().ProbeTimeout))
	for time.Now().Before(end) && ctx.Err() == nil && n.ctx.Err() == nil {
		// Each ping waits for the probe timeout.
		if _, err := ml.Ping(node, net.UDPAddrFromAddrPort(to)); err == nil {
			return true
		}
	}
	return false
}
