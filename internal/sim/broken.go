package sim

import (
	"bytes"
	"fmt"
	"regexp"
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

// keptBefore is how much is kept of what was printed before a program broke, in bytes.
const keptBefore = 64 << 10

// Stderr keeps what a guest writes to its standard error from where Go's runtime tells that it breaks, and the end of what was printed before.
// One goroutine writes.
type Stderr struct {
	text  []byte
	broke bool
}

// Write never fails.
func (s *Stderr) Write(b []byte) (int, error) {
	if s.broke {
		s.text = append(s.text, b[:min(len(b), max(0, maxStacks-len(s.text)))]...)
		return len(b), nil
	}
	known := len(s.text)
	s.text = append(s.text, b...)
	end := len(s.text)
	// What is new, and the line before it, which may have been cut anywhere: where that begins is all that matters.
	from := bytes.LastIndexByte(s.text[:known], '\n') + 1
	if at := breaks.FindIndex(s.text[from:]); at != nil {
		s.broke, end = true, from+at[0]
	}
	if end > 2*keptBefore || s.broke {
		s.text = bytes.Clone(s.text[max(0, end-keptBefore):])
	}
	return len(b), nil
}

// String is what was kept.
func (s *Stderr) String() string { return string(s.text) }

// breaks begins what Go's runtime writes when a program ends badly.
var breaks = regexp.MustCompile(`(?m)^(panic|fatal error): `)

// Stacks are those of all goroutines of this process: whoever holds a lock that others wait for is among them.
func Stacks() string {
	buf := make([]byte, maxStacks)
	return string(buf[:runtime.Stack(buf, true)])
}

// Panicked is a program that ended with what Go's runtime then writes.
func Panicked(seed uint64, stderr string) *BrokenError {
	e := &BrokenError{Seed: seed, Why: "it ended without an outcome", Stacks: stderr}
	if at := breaks.FindStringIndex(stderr); at != nil {
		line, _, _ := strings.Cut(stderr[at[0]:], "\n")
		e.Why = strings.TrimSpace(line)
	}
	return e
}
