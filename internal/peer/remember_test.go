package peer

import (
	"strings"
	"testing"
)

func TestToRemember(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ roster, met, known, want string }{
		{"", "", "", ""},
		{"a b", "", "", "a b"},
		{"", "x y", "", "x y"},
		{"a b", "b x a y", "p b", "a b x y p"},
		{"a b c d e f g h i", "x y z", "p", "a b c d x y z e"},
		{"a b", "1 2 3 4 5 6 7 8 9", "p", "a b 1 2 3 4 5 6"},
		{"a b c d e f g h i", "", "p", "a b c d e f g h"},
		{"", "", "p q", "p q"},
	} {
		if got := strings.Join(toRemember(strings.Fields(tt.roster), strings.Fields(tt.met), strings.Fields(tt.known)), " "); got != tt.want {
			t.Errorf("%q, %q and %q: %q, want %q", tt.roster, tt.met, tt.known, got, tt.want)
		}
	}
}
