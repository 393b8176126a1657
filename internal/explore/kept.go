package explore

import (
	"slices"
	"strings"

	"peerlab.example/peerlab/internal/testcoord"
)

// kept is what a fault at a place must leave as it is, since the steps around are about it. The faults of the network change none of it.
type kept struct {
	named  bool     // whom the last step has named: a later one says others
	output []string // of these peers, what their last command has written: a later step judges it, and a peer that is back has run init
	busy   []string // these peers: something of theirs runs in the background
}

// keeps are what the place before each of the steps keeps.
func keeps(suite *testcoord.Suite) []kept {
	out := make([]kept, len(suite.Steps))
	var later kept
	for _, s := range suite.Cleanup {
		later = later.wantedBy(suite, s)
		later.named = false // of what is in the suite, a cleanup knows nothing
	}
	for i, s := range slices.Backward(suite.Steps) {
		later = later.wantedBy(suite, s)
		out[i] = later
	}
	var busy []string
	for i, s := range suite.Steps {
		out[i].busy = busy
		busy = background(suite, []*testcoord.Step{s}, busy)
	}
	return out
}

// wantedBy is what is to be kept before a step, when k is to be kept behind it.
func (k kept) wantedBy(suite *testcoord.Suite, s *testcoord.Step) kept {
	if w := suite.Words(s); w.Sure {
		k.named = k.named && len(w.Peers) == 0
		if w.Command != "" {
			k.output = slices.DeleteFunc(slices.Clone(k.output), func(name string) bool { return slices.Contains(w.Peers, name) })
		}
	}
	each(suite, []*testcoord.Step{s}, func(w testcoord.Words) {
		k.named = k.named || w.Others
		if w.Judges {
			k.output = slices.Concat(k.output, w.Peers)
		}
	})
	return k
}

// background are the peers at which something runs in the background behind steps, when it does so at busy before them.
func background(suite *testcoord.Suite, steps []*testcoord.Step, busy []string) []string {
	for _, s := range steps {
		w := suite.Words(s)
		switch {
		case w.Background:
			busy = slices.Concat(busy, w.Peers)
		case w.Waits:
			busy = nil
		default:
			busy = slices.Concat(busy, background(suite, s.Body, nil))
		}
	}
	return busy
}

// each calls found with the words of steps, and of those in their blocks.
func each(suite *testcoord.Suite, steps []*testcoord.Step, found func(testcoord.Words)) {
	for _, s := range steps {
		found(suite.Words(s))
		each(suite, s.Body, found)
	}
}

// begins reports whether a step makes peers members.
func begins(w testcoord.Words) bool { return w.Command == "init" }

// ends reports whether its peers may not be there after a step, or without something that an init would begin again.
func ends(w testcoord.Words) bool {
	switch w.Lab {
	case "kill", "stop", "restart", "freeze":
		return true
	}
	verb := w.Command[strings.LastIndexByte(w.Command, ' ')+1:]
	return slices.Contains([]string{"leave", "stop", "shutdown", "shutdown-transport", "quit"}, verb)
}
