package cli

import (
	"strings"
	"testing"

	"peerlab.example/peerlab/internal/testcoord"
)

func TestSelectionTellsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	one, two := &testcoord.Suite{Name: "one"}, &testcoord.Suite{Name: "two", Tags: []string{"slow"}}
	for _, tt := range []struct {
		selection
		suites []*testcoord.Suite
		want   string
	}{
		{selection{tags: []string{"nosuch"}}, []*testcoord.Suite{two}, `no suite is meant by --tag "nosuch"; there is two (slow)`},
		{selection{filter: "three"}, []*testcoord.Suite{one, two}, `no suite is meant by --filter "three"; there are one, two (slow)`},
		{selection{filter: "o", tags: []string{"slow", "!slow"}}, []*testcoord.Suite{one, two}, `meant by --filter "o" and --tag "slow" and --tag "!slow"; there`},
	} {
		if _, err := tt.pick(tt.suites); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}
