package cli

import (
	"context"
	"fmt"
	"sync"
	"time"

	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

const (
	// viewEvery is how often a console elsewhere looks who is there: the prompt is no measuring instrument.
	viewEvery = time.Second
	// viewTimeout is when a peer that does not answer counts as gone.
	viewTimeout = 2 * time.Second
)

// remoteView is what the prompt of a console elsewhere shows of its peer.
type remoteView struct {
	name   string // of the console
	client membershipv1.MembershipServiceClient

	mu      sync.Mutex
	alive   int  // guarded by mu
	suspect bool // guarded by mu; somebody is suspected
	gone    bool // guarded by mu; the peer does not answer
}

// follow asks the peer until ctx ends.
func (v *remoteView) follow(ctx context.Context) {
	tick := time.NewTicker(viewEvery)
	defer tick.Stop()
	for {
		v.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (v *remoteView) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, viewTimeout)
	defer cancel()
	r, err := v.client.ListMembers(ctx, &membershipv1.ListMembersRequest{})
	alive, suspect := 0, false
	for _, m := range r.GetMembers() {
		switch m.GetState() {
		case membershipv1.State_STATE_SUSPECT:
			suspect = true
			alive++
		case membershipv1.State_STATE_ALIVE:
			alive++
		case membershipv1.State_STATE_LEFT, membershipv1.State_STATE_LOST, membershipv1.State_STATE_UNSPECIFIED:
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.alive, v.suspect, v.gone = alive, suspect, err != nil
}

// prefix is the prompt.
func (v *remoteView) prefix() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.gone:
		return v.name + " (gone)> "
	case v.alive == 0:
		return v.name + "> "
	}
	return fmt.Sprintf("%s (%d alive)> ", v.name, v.alive)
}

// alarm reports whether the user should look: somebody is suspected, or the peer is gone.
func (v *remoteView) alarm() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.suspect || v.gone
}
