package netns

import (
	"testing"
	"time"
)

// cast are the peers of all scenarios.
var cast = []string{"alice", "bob", "carol", "dave", "erin"}

// scenarios are what must end in the same views on each ground.
var scenarios = map[string]func(t *testing.T, g ground, s *group){
	"two sides": func(t *testing.T, g ground, s *group) {
		g.set(t, "partition alice bob | carol dave erin")
		s.see(t, "alice bob", "alice bob", "carol dave erin", "carol dave erin", "carol dave erin")
		g.heal(t)
		s.see(t, everybody(cast)...)
	},
	// The others probe for those two, so that nobody is lost.
	"one way between two": func(t *testing.T, g ground, s *group) {
		g.set(t, "partition alice -> bob")
		<-time.After(3 * time.Second) // six probes of each
		s.see(t, everybody(cast)...)
	},
	// What erin sends arrives, but nothing comes back: to her all are dead, and to them she is.
	"one way from all to one": func(t *testing.T, g ground, s *group) {
		g.set(t, "partition alice bob carol dave -> erin")
		s.see(t, "alice bob carol dave", "alice bob carol dave", "alice bob carol dave", "alice bob carol dave", "erin")
		g.heal(t)
		s.see(t, everybody(cast)...)
	},
}

func TestSameViews(t *testing.T) {
	t.Parallel()
	for ground, start := range grounds {
		for name, play := range scenarios {
			t.Run(ground+"/"+name, func(t *testing.T) {
				t.Parallel()
				g := start(t, cast)
				play(t, g, startGroup(t, g, cast))
			})
		}
	}
}
