package membership

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"peerlab.example/peerlab/app"
	membershipv1 "peerlab.example/peerlab/proto/peerlab/membership/v1"
)

func TestSeedsAreTriedUntilTheyAnswer(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		a := l.start("alice")
		b := l.start("bob", func(c *Config) { c.Seeds = func() []string { return []string{a.Addr()} } })
		l.net.Partition([]string{a.ip}, []string{b.ip})
		if _, err := b.Join(t.Context(), []string{a.Addr()}); err == nil {
			t.Fatal("joined across a cut")
		}
		<-time.After(time.Minute)
		l.net.Heal()
		l.eventually(10*time.Second, func() error { return b.sees(app.Alive, "alice", "bob") })
	})
}

func TestSplitHeals(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"lan", "local", "fast"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			inLab(t, profile, func(t *testing.T, l *lab) {
				names := []string{"a", "b", "c", "x", "y", "z"}
				p := l.group(names...)
				var left, right []string
				for i, x := range p {
					if i < 3 {
						left = append(left, x.ip)
					} else {
						right = append(right, x.ip)
					}
				}
				l.net.Partition(left, right)
				start := time.Now()
				for i, x := range p {
					own := names[i/3*3 : i/3*3+3]
					l.eventually(3*time.Minute, func() error { return x.sees(app.Alive, own...) })
				}
				split := time.Since(start)
				<-time.After(time.Minute - min(split, time.Minute))
				l.net.Heal()
				start = time.Now()
				for _, x := range p {
					l.eventually(10*time.Second, func() error { return x.sees(app.Alive, names...) })
				}
				t.Logf("split seen after %s, healed after %s", split, time.Since(start))
				if got := strings.ReplaceAll(p[0].events("x"), "suspected lost", "lost"); !strings.HasPrefix(got, "joined lost recovered") {
					t.Errorf("events of x: %q", got)
				}
			})
		})
	}
}

// One that was cut off from many, and half that was from half, for longer than memberlist remembers.
func TestLargeSplitsHeal(t *testing.T) {
	t.Parallel()
	for _, cut := range []int{1, 25} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			inLab(t, "lan", func(t *testing.T, l *lab) {
				p := l.many(50)
				l.eventually(time.Minute, func() error { return allSee(p) })
				var side []string
				for _, x := range p[:cut] {
					side = append(side, x.ip)
				}
				l.net.Partition(side)
				<-time.After(5 * time.Minute)
				// The one alone doubts itself, and probes too seldom to have lost all others by now.
				if got := p[49].alive(); got != 50-cut {
					t.Errorf("sees %d on its side of the cut, want %d", got, 50-cut)
				}
				l.net.Heal()
				start := time.Now()
				l.eventually(20*time.Second, func() error { return allSee(p) })
				heals := uint64(0)
				for _, x := range p {
					heals += x.Stats().Heals
				}
				t.Logf("healed after %s; %d attempts in five minutes", time.Since(start), heals)
			})
		})
	}
}

// Who said goodbye in a split has left, and is not lost, also for those of the other side, once they hear of it; and they look for
// it no longer.
func TestGoodbyeCrossesASplitThatHeals(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"lan", "local", "fast"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			inLab(t, profile, func(t *testing.T, l *lab) {
				p := l.group("a", "b", "x", "y", "z")
				gone := p[0].Addr()
				l.net.Partition([]string{p[0].ip, p[1].ip}, []string{p[2].ip, p[3].ip, p[4].ip})
				for _, x := range p[2:] {
					l.eventually(3*time.Minute, func() error { return x.sees(app.Lost, "a", "b") })
				}
				if err := p[0].Leave(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := p[0].Close(); err != nil {
					t.Fatal(err)
				}
				l.eventually(time.Minute, func() error { return p[1].sees(app.Left, "a") })
				l.net.Heal()
				for _, x := range p[1:] {
					l.eventually(20*time.Second, func() error { return x.sees(app.Left, "a") })
					if targets, _ := x.missing(); slices.Contains(targets, gone) {
						t.Errorf("still looks for %v", targets)
					}
				}
			})
		})
	}
}

// One that hears of a goodbye by a full sync tells its side, which would hear of it by their own full syncs only half a minute later.
func TestAGoodbyeThatWasHeardIsToldOn(t *testing.T) {
	t.Parallel()
	inLab(t, "lan", func(t *testing.T, l *lab) {
		p := l.group("a", "x", "y", "z")
		if err := p[0].Close(); err != nil {
			t.Fatal(err)
		}
		for _, x := range p[1:] {
			l.eventually(time.Minute, func() error { return x.sees(app.Lost, "a") })
		}
		state, err := proto.Marshal(&membershipv1.Sync{Left: []string{p[0].Self().ID, p[2].Self().ID}})
		if err != nil {
			t.Fatal(err)
		}
		p[1].queue.put(note{state: state})
		for _, x := range p[1:] {
			l.eventually(3*time.Second, func() error { return x.sees(app.Left, "a") })
			l.eventually(0, func() error { return x.sees(app.Alive, "x", "y", "z") })
		}
	})
}
