package sim

import (
	"fmt"
	"strings"
)

// BrokenError is a simulation whose program broke: it cannot go on, and has no outcome.
type BrokenError struct {
	Seed uint64
	// Why is the same for all that broke alike.
	Why string
	// Stacks are those of its goroutines, as far as they are known.
	Stacks string
}

func (e *BrokenError) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("the simulation broke, with seed %d: %s\n%s", e.Seed, e.Why, e.Stacks), "\n")
}

// Panicked is a program that ended with what Go's runtime then writes.
func Panicked(seed uint64, stderr string) *BrokenError {
	e := &BrokenError{Seed: seed, Why: "it ended without an outcome", Stacks: stderr}
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			e.Why = strings.TrimSpace(line)
			break
		}
	}
	return e
}
