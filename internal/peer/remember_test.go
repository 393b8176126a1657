package peer

import (
	"strings"
	"testing"
)

func TestToRemember(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ roster, met, want string }{
		{"", "", ""},
		{"a b", "", "a b"},
		{"", "x y", "x y"},
		{"a b", "b x a y", "a b x y"},
		{"a b c d e f g h i", "x y z", "a b c d x y z e"},
		{"a b", "1 2 3 4 5 6 7 8 9", "a b 1 2 3 4 5 6"},
		{"a b c d e f g h i", "", "a b c d e f g h"},
	} {
		if got := strings.Join(toRemember(strings.Fields(tt.roster), strings.Fields(tt.met)), " "); got != tt.want {
			t.Errorf("%q and %q: %q, want %q", tt.roster, tt.met, got, tt.want)
		}
	}
}
