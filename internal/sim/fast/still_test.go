package fast

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/sim"
)

// stuck is an application with a command that waits for a lock which it holds itself, until the test gives it back.
type stuck struct {
	lock   *sync.Mutex
	locked chan struct{} // closed when it is about to wait
}

func (stuck) Name() string { return "stuck" }

func (s stuck) Commands() []app.Spec {
	return []app.Spec{{Name: "stuck", Group: "stuck", Summary: "for tests", Example: "stuck", Run: s.lockTwice}}
}

func (s stuck) lockTwice(context.Context, *app.Env, app.Args) (any, error) {
	s.lock.Lock()
	close(s.locked)
	s.lock.Lock()
	return nil, nil
}

func (stuck) Start(context.Context, app.Peer) error { return nil }

func (stuck) Stop(context.Context) error { return nil }

// TestStandsStill has a command that waits for ever for a lock, which stops the clock of its bubble.
func TestStandsStill(t *testing.T) {
	enough := errors.New("enough")
	for _, tt := range []struct {
		name        string
		interrupted bool
	}{{"by itself", false}, {"ended by the user", true}} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			s := stuck{lock: &sync.Mutex{}, locked: make(chan struct{})}
			run := start(ctx, spec("peers alice\nalice stuck\n"), []func() app.App{func() app.App { return s }}, io.Discard)
			ticks, over := make(chan time.Time), make(chan struct{})
			go func() {
				<-s.locked
				if tt.interrupted {
					cancel(enough)
				}
				for {
					select {
					case ticks <- time.Time{}:
					case <-over:
						return
					}
				}
			}()
			o, _, err := run.wait(ctx, ticks)
			close(over)
			var broke *sim.BrokenError
			switch {
			case o != nil:
				t.Error(o)
			case tt.interrupted && !errors.Is(err, enough):
				t.Error(err)
			case !tt.interrupted && (!errors.As(err, &broke) || broke.Seed != 1 || !strings.Contains(broke.Error(), "lockTwice")):
				t.Error(err)
			}
			s.lock.Unlock()
			<-run.ended
		})
	}
}
