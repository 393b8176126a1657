package sim

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestStderr checks that a panic is seen behind whatever was printed before, however it comes in pieces, and that neither takes the memory.
func TestStderr(t *testing.T) {
	t.Parallel()
	const dump = "panic: it was meant\n\ngoroutine 1 [running]:\n"
	for _, pieces := range []int{1, 3, 1000} {
		var s Stderr
		for i := range 20_000 {
			fmt.Fprintf(&s, "line %d of what a program prints\n", i)
		}
		for text := dump; text != ""; {
			n := min(pieces, len(text))
			_, _ = s.Write([]byte(text[:n]))
			text = text[n:]
		}
		_, _ = s.Write(bytes.Repeat([]byte("x"), 2*maxStacks))
		got := s.String()
		if e := Panicked(1, got); e.Why != "panic: it was meant" || !strings.Contains(got, "line 19999 of") || !strings.Contains(got, dump) {
			t.Errorf("in pieces of %d: %s", pieces, e.Why)
		}
		if len(got) > maxStacks+keptBefore {
			t.Errorf("%d bytes are kept", len(got))
		}
	}
}
