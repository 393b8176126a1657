package netns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
)

// copies are what comes to a peer twice: a share of the packets from some places. The kernel makes them at
// the bridge's port to the receiver, and not at the sender, where each receiver has a netem: of several on one link,
// it allows none to duplicate (since 6.16, and older ones that were mended, for packets could go round for
// ever). So copies are made after losses are, as by the rules of package network, and one port has one share.
type copies struct {
	share float64
	from  []place // of senders, in order
}

func (c *copies) add(from place, share float64) error {
	if len(c.from) > 0 && c.share != share {
		return fmt.Errorf("%v %% from some and %v %% from others cannot be duplicated: the kernel can do one of it", 100*c.share, 100*share)
	}
	c.share, c.from = share, append(c.from, from)
	return nil
}

// queues are the queues of the port. addr gives the address of a sender.
func (c copies) queues(port string, addr func(int) netip.Addr) []string {
	lines := []string{
		fmt.Sprintf("qdisc add dev %s root handle 1: htb default %x", port, classFree),
		fmt.Sprintf("class add dev %s parent 1: classid 1:%x htb %s", port, classFree, unlimited),
		fmt.Sprintf("class add dev %s parent 1: classid 1:%x htb %s", port, firstPlace, unlimited),
		fmt.Sprintf("qdisc add dev %s parent 1:%x handle %x: netem limit %d duplicate %s", port, firstPlace, netemHandle, queueLimit, percent(c.share)),
	}
	for _, from := range c.from {
		lines = append(lines, from.filters(port, "src", addr(from.to), firstPlace)...)
	}
	return lines
}

// copy makes the port to a peer copy what it should. Nothing waits there, so that it can be built anew. The lock is held.
func (l *Lab) copy(ctx context.Context, p *peer, want copies, addr func(int) netip.Addr) error {
	if p.copies.share == want.share && slices.Equal(p.copies.from, want.from) {
		return nil
	}
	none := []string{"qdisc delete dev " + p.port() + " root"}
	if len(p.copies.from) > 0 {
		p.copies = copies{} // whatever becomes of what follows
		if err := batch(ctx, "tc", l.hub, none); err != nil {
			return err
		}
	}
	if len(want.from) == 0 {
		return nil
	}
	if err := batch(ctx, "tc", l.hub, want.queues(p.port(), addr)); err != nil {
		_ = batch(context.WithoutCancel(ctx), "tc", l.hub, none) // there may be none
		return err
	}
	p.copies = want
	return nil
}
