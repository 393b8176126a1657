package testcoord

import (
	"fmt"
	"math"
	"regexp"
	"slices"
)

// What is shown of a process that died.
const (
	tailShown   = 12 // its last lines, when nothing says where its end began
	beforePanic = 3  // lines before a panic: what it was about to do
	panicShown  = 24 // lines of the panic itself: what it was, and the innermost frames, which come first
)

// lastWords is how the runtime of Go begins to tell of its end: by a panic, by an error that nothing recovers from, or by a signal.
var lastWords = regexp.MustCompile(`^(panic|fatal error|SIG[A-Z0-9]+): `)

// tail is what a process wrote last, of which a panic says most by its first lines.
func tail(p Process) []string {
	if p == nil {
		return nil
	}
	lines := p.Tail(math.MaxInt)
	at := -1
	for i, line := range slices.Backward(lines) {
		if lastWords.MatchString(line) {
			at = i
			break
		}
	}
	if at < 0 {
		return p.Tail(tailShown) // some tell more than lines of a log, such as where a pod is
	}
	from, to := max(0, at-beforePanic), min(len(lines), at+panicShown)
	out := slices.Clone(lines[from:to])
	if left := len(lines) - to; left > 0 {
		out = append(out, "… and "+counted(left, "more line"))
	}
	return out
}

// counted is "1 peer" or "2 peers".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
