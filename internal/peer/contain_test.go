package peer

import (
	"testing"
	"testing/synctest"
	"time"

	"peerlab.example/peerlab/app"
)

// wild is an application that panics whenever it is told something.
type wild struct{ *recorder }

func (wild) Observe(app.MemberEvent) { panic("observed") }
func (wild) Changed(app.Entry)       { panic("changed") }

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
