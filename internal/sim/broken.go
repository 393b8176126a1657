package sim

import (
	"fmt"
	"runtime"
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

// maxStacks bounds what is told of goroutines, in bytes: there are many in a large lab.
const maxStacks = 1 << 20

// Stderr keeps the beginning of what a guest writes to its standard error, where a panic is. One goroutine writes.
type Stderr struct{ strings.Builder }

// Write never fails.
func (s *Stderr) Write(b []byte) (int, error) {
	s.Builder.Write(b[:min(len(b), maxStacks-s.Len())])
	return len(b), nil
}

// Stacks are those of all goroutines of this process: whoever holds a lock that others wait for is among them.
func Stacks() string {
	buf := make([]byte, maxStacks)
	return string(buf[:runtime.Stack(buf, true)])
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
