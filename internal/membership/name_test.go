package membership

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"peerlab.example/peerlab/app"
)

func TestRestartUnderTheSameName(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("alice", "bob", "carol")
		p[2].kill()
		again := l.start("carol")
		start := time.Now()
		again.join(p[0])
		if err := again.SetMeta(t.Context(), "10.9.9.9:1", nil); err != nil {
			t.Fatal(err)
		}
		for _, x := range append(p[:2:2], again) {
			l.eventually(3*time.Second, func() error {
				for _, m := range x.Members() {
					if m.Name == "carol" && m.ID != again.cfg.ID {
						return fmt.Errorf("%s lists the old carol: %+v", x.Self().Name, m)
					}
				}
				return x.sees(app.Alive, "alice", "bob", "carol")
			})
		}
		t.Logf("accepted by all after %s", time.Since(start))
		<-time.After(2 * time.Minute)
		for _, x := range p[:2] {
			// The order of the loss of the old one and the arrival of the new one is that of gossip.
			if got := x.events("carol"); got != "joined lost joined updated" && got != "joined lost joined" && got != "joined joined lost" {
				t.Errorf("%s was told of carol: %q", x.Self().Name, got)
			}
		}
	})
}

// A restart may get the address that it had, and another process may have got it.
func TestRestartWhereSomebodyListens(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"itself", "another"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			inLab(t, "lan", func(t *testing.T, l *lab) {
				p := l.group("alice", "bob", "carol")
				old := p[2].Addr()
				p[2].kill()
				names := []string{"alice", "bob", "carol"}
				there := func(c *Config) { c.BindAddr = old }
				var again *peer
				if what == "itself" {
					again = l.startAt(p[2].ip, "carol", there)
				} else {
					dave := l.startAt(p[2].ip, "dave", there)
					dave.join(p[0])
					names = append(names, "dave")
					again = l.start("carol")
				}
				start := time.Now()
				again.join(p[0])
				if got := time.Since(start); got > 2*patience {
					t.Errorf("joining took %s", got)
				}
				if err := again.SetMeta(t.Context(), "10.9.9.9:1", nil); err != nil {
					t.Fatal(err)
				}
				for _, x := range append(p[:2:2], again) {
					l.eventually(10*time.Second, func() error {
						for _, m := range x.Members() {
							if m.ID == p[2].cfg.ID {
								return fmt.Errorf("%s lists the old carol: %+v", x.cfg.Name, m)
							}
						}
						return x.sees(app.Alive, names...)
					})
				}
			})
		})
	}
}

func TestNameTaken(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("alice", "bob", "carol")
		second := l.start("carol")
		_, err := second.Join(t.Context(), []string{p[0].Addr()})
		want := fmt.Sprintf("name %q is taken by a live member at %s", "carol", p[2].Addr())
		if !errors.Is(err, ErrNameTaken) || err.Error() != want {
			t.Fatalf("got %v, want %s", err, want)
		}
		if err := second.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		_ = second.Close()
		<-time.After(2 * time.Minute)
		for i, x := range p {
			// The others knew carol before, and heard nothing of the second one.
			if err := x.told("carol", []string{"joined", "joined", ""}[i]); err != nil {
				t.Error(err)
			}
			if err := x.sees(app.Alive, "alice", "bob", "carol"); err != nil {
				t.Error(err)
			}
		}
	})
}

// Of two that start at the same moment under one name, the older stays, whether they meet in
// Join or later.
func TestNameTakenAtTheSameMoment(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		seed := l.start("seed")
		refused := make(chan string, 4)
		twin := func(which string) *peer {
			return l.start("twin", func(c *Config) {
				c.OnNameTaken = func(err error) {
					if !errors.Is(err, ErrNameTaken) {
						t.Error(err)
					}
					refused <- which
				}
			})
		}
		a := twin("a")
		<-time.After(time.Millisecond)
		b := twin("b")
		for which, x := range map[string]*peer{"a": a, "b": b} {
			go func() {
				if _, err := x.Join(t.Context(), []string{seed.Addr()}); errors.Is(err, ErrNameTaken) {
					refused <- which
				} else if err != nil {
					t.Error(err)
				}
			}()
		}
		select {
		case which := <-refused:
			if which != "b" {
				t.Errorf("%s was refused, want b, the younger", which)
			}
		case <-time.After(5 * time.Second):
			t.Error("nobody was refused")
		}
		<-time.After(time.Minute)
		if len(refused) > 0 {
			t.Errorf("%s was refused too", <-refused)
		}
	})
}

// Two that took the same name on both sides of a split meet when it heals: the younger is told.
func TestNamesakesMeetAfterASplit(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("alice", "bob")
		// The peers to come have the next two addresses.
		l.net.Partition([]string{p[0].ip, "10.0.0.4"}, []string{p[1].ip, "10.0.0.5"})
		refused := make(chan string, 4)
		twin := func(which string, at *peer) *peer {
			x := l.start("twin", func(c *Config) { c.OnNameTaken = func(error) { refused <- which } })
			x.join(at)
			if err := x.SetMeta(t.Context(), "10.0.0.9:1", nil); err != nil {
				t.Fatal(err)
			}
			return x
		}
		twin("older", p[0])
		<-time.After(time.Minute)
		twin("younger", p[1])
		<-time.After(time.Minute)
		l.net.Heal()
		select {
		case which := <-refused:
			if which != "younger" {
				t.Errorf("the %s was told", which)
			}
		case <-time.After(20 * time.Second):
			t.Error("nobody was told")
		}
		<-time.After(time.Minute)
		if len(refused) > 0 {
			t.Errorf("the %s was told too", <-refused)
		}
	})
}
