package peer

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"peerlab.example/peerlab/app"
)

// wild is an application that panics whenever it is told something.
type wild struct{ *recorder }

func (wild) Observe(app.MemberEvent) { panic("observed") }
func (wild) Changed(app.Entry)       { panic("changed") }

// slow is an application that takes a while to take in what it is told, and says by a command how much that was.
type slow struct {
	*recorder
	takes time.Duration
	known atomic.Int32
}

func (s *slow) Observe(app.MemberEvent) {
	<-time.After(s.takes)
	s.known.Add(1)
}

func (s *slow) Commands() []app.Spec {
	return []app.Spec{{Name: "known", Summary: "how much is known", Example: "known", Run: func(context.Context, *app.Env, app.Args) (any, error) {
		return s.known.Load(), nil
	}}}
}

// A command of an application comes after all that it was to be told before; but one that hangs in Observe can still be asked.
func TestCommandsOfAnApplicationKnowWhatTheLogTells(t *testing.T) {
	for _, tt := range []struct{ takes, waits time.Duration }{{100 * time.Millisecond, 100 * time.Millisecond}, {10 * time.Second, time.Second}} {
		t.Run(tt.takes.String(), func(t *testing.T) {
			inLab(t, func(l *testLab) {
				s := &slow{recorder: &recorder{}, takes: tt.takes}
				alice := l.joined("alice", func(_ *Config, d *Deps) { d.Apps = []app.App{s} })
				bob := l.peer("bob")
				log := alice.deps.Events.Read(alice.deps.Events.Last())
				var joining sync.WaitGroup
				joining.Go(bob.mustInit)
				for {
					e, _, err := log.Next(context.Background())
					if err != nil {
						t.Fatal(err)
					}
					if e.GetJoined() != nil {
						break
					}
				}
				begun := time.Now()
				known := alice.mustDo("known")
				if took := time.Since(begun); took != tt.waits || (known == "1") != (tt.waits == tt.takes) {
					t.Errorf("with an Observe of %s, a command waits for %s, and knows of %s", tt.takes, took, known)
				}
				joining.Wait()
			})
		})
	}
}

// An application that panics in membership's goroutine takes down neither the peer nor what others are told.
func TestPanicsOfAnApplicationAreContained(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice", func(_ *Config, d *Deps) { d.Apps = []app.App{wild{&recorder{}}} })
		bob := l.joined("bob")
		if err := bob.apps[0].Data().Set("key", []byte("value")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		carol := l.joined("carol")
		<-time.After(10 * time.Second)
		if n := alice.Alive(); n != 3 {
			t.Errorf("alice sees %d members", n)
		}
		if v, ok := alice.apps[0].Data().Get("key"); !ok || string(v) != "value" {
			t.Errorf("alice has %q, %v", v, ok)
		}
		if n := carol.Alive(); n != 3 {
			t.Errorf("carol sees %d members", n)
		}
	})
}
