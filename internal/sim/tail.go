package sim

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// tailMost is how much of the end of its log is kept for each peer, in bytes. A guest has 4 GiB at most, and at its end each log several times: here, in the
// outcome, and twice in the frame, whose growth takes as much again. With the 300 peers that a guest can bear this is half a GiB; 1 MiB each would be half of all.
const tailMost = 256 << 10

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	end  []byte // guarded by mu
	left int    // guarded by mu; how many bytes before end were left out
}

// Write takes more.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, b...)
	if len(t.end) > tailMost {
		from := lineFrom(t.end, len(t.end)-tailMost/2) // half of it goes, so that not each line moves all others
		t.left += from
		t.end = bytes.Clone(t.end[from:])
	}
	return len(b), nil
}

// lineFrom is where the first line begins in text that begins at from or later. A line that has nothing behind it is cut there instead, or nothing would
// be left of a very long one.
func lineFrom(text []byte, from int) int {
	i := bytes.IndexByte(text[from-1:], '\n')
	if line := from + i; i >= 0 && line < len(text) {
		return line
	}
	return from
}

// text is all that was kept, behind a line that says how much was not.
func (t *tail) text() string {
	kept, left := t.kept()
	if left > 0 {
		return fmt.Sprintf("(%d bytes before this were left out: a simulation keeps the last %d to %d KiB of each log)\n%s", left, tailMost>>11, tailMost>>10, kept)
	}
	return kept
}

func (t *tail) kept() (text string, left int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.end), "\ufffd"), t.left
}

// lines are the last n.
func (t *tail) lines(n int) []string {
	text, _ := t.kept()
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	all := strings.Split(text, "\n")
	return all[max(0, len(all)-n):]
}
