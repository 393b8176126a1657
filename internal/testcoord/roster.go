package testcoord

import (
	"context"
	"time"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// watchRoster keeps the size of the roster as the bootstrap service streams it, until ctx ends.
func (c *Coordinator) watchRoster(ctx context.Context) {
	if c.opt.Bootstrap == nil {
		return
	}
	const pause = 100 * time.Millisecond // before the stream is opened again
	for ctx.Err() == nil {
		stream, err := c.opt.Bootstrap.Watch(ctx, &bootstrapv1.WatchRequest{Group: c.opt.Group})
		for err == nil {
			var m *bootstrapv1.WatchResponse
			if m, err = stream.Recv(); err == nil {
				c.setRoster(int(m.GetRoster().GetCount()))
			}
		}
		c.log.Debug().Err(err).Msg("the stream of rosters ended")
		c.rosterBroke()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// rosterBroke notes that the roster is not known any more.
func (c *Coordinator) rosterBroke() {
	c.setRoster(-1)
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.broke)
	c.broke = make(chan struct{})
}

func (c *Coordinator) setRoster(size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roster = size
	for _, p := range c.peers {
		c.changed(p, nil)
	}
}
