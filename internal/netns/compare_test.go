package netns

import (
	"testing"
	"time"
)

// cast are the peers of all scenarios.
var cast = []string{"alice", "bob", "carol", "dave", "erin"}

// links are the links from each of some to each of others, by index in cast.
func links(from, to []int) [][2]int {
	var all [][2]int
	for _, a := range from {
		for _, b := range to {
			all = append(all, [2]int{a, b})
		}
	}
	return all
}

var dropped = flow{drop: true}

// scenarios are what must end in the same views on each ground.
var scenarios = map[string]func(t *testing.T, g ground, s *group){
	"two sides": func(t *testing.T, g ground, s *group) {
		left, right := []int{0, 1}, []int{2, 3, 4}
		g.set(t, dropped, append(links(left, right), links(right, left)...)...)
		s.see(t, "alice bob", "alice bob", "carol dave erin", "carol dave erin", "carol dave erin")
		g.heal(t)
		s.see(t, everybody(cast)...)
	},
	// The others probe for those two, so that nobody is lost.
	"one way between two": func(t *testing.T, g ground, s *group) {
		g.set(t, dropped, [2]int{0, 1})
		<-time.After(3 * time.Second) // six probes of each
		s.see(t, everybody(cast)...)
	},
	// What erin sends arrives, but nothing comes back: to her all are dead, and to them she is.
	"one way from all to one": func(t *testing.T, g ground, s *group) {
		g.set(t, dropped, links([]int{0, 1, 2, 3}, []int{4})...)
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
