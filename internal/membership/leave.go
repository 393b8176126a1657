package membership

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/app"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

const (
	// leaveLeast is the least that memberlist's own goodbye is waited for.
	leaveLeast = 500 * time.Millisecond
	// spreadRounds is how many rounds of gossip a goodbye is given to reach all, after this node has
	// sent it as often as it does: 1 s with the lan profile. In each round the number of
	// those who know grows up to fourfold, so that five are enough for a thousand.
	spreadRounds = 5
	// tellMost is how many members are told a goodbye directly. In larger groups gossip transmits often enough.
	tellMost = 8
	// leftMost is how many of those that said goodbye one full sync tells.
	leftMost = 64
)

// SetMeta announces the address of gRPC and the applications. It does not wait until others
// know. An announcement that is too long is refused with ErrTooLarge.
func (n *Node) SetMeta(_ context.Context, rpcAddr string, apps []string) error {
	n.step.Lock()
	defer n.step.Unlock()
	m := n.view.me()
	if m.RPCAddr == rpcAddr && slices.Equal(m.Apps, apps) {
		return nil
	}
	m.RPCAddr, m.Apps = rpcAddr, slices.Clone(apps)
	if err := checkMember(m, nodeName(m.Name, m.ID)); err != nil && m.Addr != "" {
		return fmt.Errorf("announce: %w", err)
	}
	meta, err := encodeMeta(m)
	if err != nil {
		return err
	}
	n.meta.Store(&meta)
	n.view.setMe(func(me *app.Member) { me.RPCAddr, me.Apps = m.RPCAddr, m.Apps })
	if ml, err := n.active(); err == nil {
		// It is queued at once; the wait would be for the last of its transmissions, and its error says
		// only that the wait was cut short.
		_ = ml.UpdateNode(time.Nanosecond)
	}
	return nil
}

// Announce gossips once more what this node tells of itself. It does not wait until others know.
func (n *Node) Announce() error {
	n.step.Lock()
	defer n.step.Unlock()
	ml, err := n.active()
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	_ = ml.UpdateNode(time.Nanosecond) // as in SetMeta
	return nil
}

// ShutdownTransport closes the sockets, and nothing else: memberlist runs on, hears nothing and does not know why,
// so that this node will take the others for lost, and they this node. Leave and Close are possible afterwards.
func (n *Node) ShutdownTransport() error {
	n.step.Lock()
	defer n.step.Unlock()
	if _, err := n.active(); err != nil {
		return fmt.Errorf("shut down transport: %w", err)
	}
	return n.transport.Shutdown()
}

// TransportDown reports whether the sockets are closed.
func (n *Node) TransportDown() bool { return n.transport.ctx.Err() != nil }

// Leave says goodbye and waits until the others know, within ctx. ErrNotSpread says that they may not. After it, only
// Close is useful.
func (n *Node) Leave(ctx context.Context) error {
	n.step.Lock()
	defer n.step.Unlock()
	ml, err := n.active()
	if err != nil {
		return nil
	}
	n.seeking.Store(false)
	alone := n.digest.members() <= 1
	if !alone {
		n.sayGoodbye(ml) // also if memberlist's does not arrive
	}
	n.mu.Lock()
	n.left = true
	n.mu.Unlock()
	if n.TransportDown() {
		return fmt.Errorf("leave: the transport is shut down: %w", ErrNotSpread)
	}
	err = ml.Leave(n.leaveTimeout(ctx))
	if err != nil {
		// When the others leave at the same time, there is nobody left to take it.
		n.log.Debug().Err(err).Msg("goodbye not sent as often as it should be")
	}
	if alone {
		return nil
	}
	if spread := n.sleep(ctx, spreadRounds*n.Tuning().GossipInterval); err != nil || !spread {
		return fmt.Errorf("leave: %w", ErrNotSpread)
	}
	return nil
}

// sayGoodbye tells some members themselves, too: memberlist gossips to those that it took for dead not long ago as well, so that in a
// split the few transmissions of a small group may all go to the other side.
func (n *Node) sayGoodbye(ml *memberlist.Memberlist) {
	g := &membershipv1.Gossip{What: &membershipv1.Gossip_Leave{Leave: &membershipv1.Leave{Id: n.cfg.ID}}}
	_ = n.send(g) // it cannot be too large, and nothing is full
	b, err := proto.Marshal(g)
	if err != nil {
		return
	}
	// Not those of ml.Members: they are read and changed by memberlist meanwhile.
	others := slices.DeleteFunc(slices.Clone(n.Members()), func(m app.Member) bool {
		return m.Self || !m.Live()
	})
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	for _, m := range others[:min(tellMost, len(others))] {
		_ = ml.SendToAddress(memberlist.Address{Addr: m.Addr, Name: nodeName(m.Name, m.ID)}, b)
	}
}

// hearLeft takes in who has said goodbye, as a full sync tells it. What is news here is news to those on this side of a split, too.
func (n *Node) hearLeft(ids []string) {
	for _, id := range ids[:min(leftMost, len(ids))] {
		events := n.view.hearLeft(id, time.Now())
		n.emit(events)
		if len(events) > 0 && n.gossip.queue.size() < broadcastsWaiting/2 {
			_ = n.send(&membershipv1.Gossip{What: &membershipv1.Gossip_Leave{Leave: &membershipv1.Leave{Id: id, Heard: true}}}) // or by the next sync
		}
	}
}

// leaveTimeout is twice as long as memberlist takes to send its goodbye as often as it does.
func (n *Node) leaveTimeout(ctx context.Context) time.Duration {
	t := n.Tuning()
	transmits := t.RetransmitMult * int(math.Ceil(math.Log10(float64(n.digest.get().alive+1))))
	timeout := max(leaveLeast, 2*time.Duration(transmits)*t.GossipInterval)
	if end, ok := ctx.Deadline(); ok {
		timeout = max(time.Nanosecond, min(timeout, time.Until(end)))
	}
	return timeout
}

// Close ends all at once: without Leave, the others see a loss. It may be called more than once.
func (n *Node) Close() error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.seeking.Store(false)
	n.stop()
	n.step.Lock() // a Leave that runs ends first: memberlist panics when it comes after the shutdown
	defer n.step.Unlock()
	var errs []error
	if ml := n.running(); ml != nil {
		errs = append(errs, ml.Shutdown())
	}
	errs = append(errs, n.transport.Shutdown())
	n.wg.Wait()
	n.queue.close()
	return errors.Join(errs...)
}

// sleep waits, and reports false when ctx or the node ends before.
func (n *Node) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-n.ctx.Done():
	}
	return false
}
