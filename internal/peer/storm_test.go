package peer

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// List and Renew are counted like Refill.
func (c *callCounter) List(ctx context.Context, req *bootstrapv1.ListRequest) (*bootstrapv1.ListResponse, error) {
	c.count("List")
	return c.BootstrapServiceServer.List(ctx, req)
}

func (c *callCounter) Renew(ctx context.Context, req *bootstrapv1.RenewRequest) (*bootstrapv1.RenewResponse, error) {
	c.count("Renew")
	return c.BootstrapServiceServer.Renew(ctx, req)
}

func (c *callCounter) Join(ctx context.Context, req *bootstrapv1.JoinRequest) (*bootstrapv1.JoinResponse, error) {
	c.count("Join")
	return c.BootstrapServiceServer.Join(ctx, req)
}

func (c *callCounter) count(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.others[method]++
}

// reset forgets all counts.
func (c *callCounter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.others)
	clear(c.refills)
}

// TestRefillStorm counts what reaches the service in the minute after a bootstrap peer of a large lab is gone: however
// large it is, only the min_refill_candidates oldest offer themselves. The figures of docs/performance.md, in
// virtual time:
//
//	PEERLAB_REFILL_STORM=200 go test -run RefillStorm -v ./internal/peer
func TestRefillStorm(t *testing.T) {
	sizes := []int{20, 40}
	if more, err := strconv.Atoi(os.Getenv("PEERLAB_REFILL_STORM")); err == nil {
		sizes = append(sizes, more)
	}
	for _, n := range sizes {
		// Each may have to ask again when the other was first and is replaced.
		t.Run(fmt.Sprintf("one of %d leaves", n), func(t *testing.T) {
			inLab(t, func(l *testLab) { refillStorm(l, n, (*testPeer).leave, 2*2) })
		})
		// And, as nobody gives the place up, until its lease of 30 s ends.
		t.Run(fmt.Sprintf("one of %d crashes", n), func(t *testing.T) {
			inLab(t, func(l *testLab) { refillStorm(l, n, (*testPeer).crash, 2*6) })
		})
	}
}

func refillStorm(l *testLab, n int, end func(*testPeer), most int) {
	var peers []*testPeer
	for i := range n {
		peers = append(peers, l.joined(fmt.Sprintf("p%03d", i)))
	}
	for _, p := range peers {
		eventually(l.t, func() error {
			if alive := p.Alive(); alive != n {
				return fmt.Errorf("%s sees %d", p.Name(), alive)
			}
			return nil
		})
	}
	l.roster("p000", "p001")
	l.calls.reset()
	end(peers[0])
	l.roster("p001", "p002")
	<-time.After(time.Minute)
	l.calls.mu.Lock()
	defer l.calls.mu.Unlock()
	total := 0
	for name, calls := range l.calls.refills {
		total += calls
		if name != "p002" && name != "p003" {
			l.t.Errorf("%s called Refill", name)
		}
	}
	if total < 1 || total > most {
		l.t.Errorf("%d calls of Refill, want at most %d: %v", total, most, l.calls.refills)
	}
	l.t.Logf("refills %v; other calls in that minute: %v", l.calls.refills, l.calls.others)
}
