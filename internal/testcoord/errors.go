package testcoord

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"peerlab.example/peerlab/internal/command"
)

// Error is a mistake in a file.
type Error struct {
	File string
	// Line and Col count from 1; Col counts bytes.
	Line, Col int
	Msg       string
	// Hint is what may have been meant; empty when nothing is near.
	Hint string
	// Source is the whole line.
	Source string
	// Via is where the file was included, as FILE:LINE; empty in the suite itself.
	Via string

	certain bool  // no value of a variable would change that
	path    []int // the lines that lead to the place, from the suite's own file on
}

// Error is the mistake on one line.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", command.Clean(e.File), e.Line, e.Col, command.Clean(e.Msg))
	if e.Hint != "" {
		s += fmt.Sprintf("; did you mean %q?", command.Clean(e.Hint))
	}
	if e.Via != "" {
		s += " (included at " + command.Clean(e.Via) + ")"
	}
	return s
}

// Excerpt is the line with a caret below the place.
func (e *Error) Excerpt() string {
	head := e.Source[:max(0, min(e.Col-1, len(e.Source)))]
	caret := strings.Repeat(" ", utf8.RuneCountInString(command.Clean(head))) + "^"
	return "    " + strings.TrimRight(command.Clean(e.Source), " ") + "\n    " + caret
}

// Errors are all mistakes of a file, in its order.
type Errors []*Error

// Error is all mistakes, each with its line and a caret.
func (e Errors) Error() string {
	parts := make([]string, len(e))
	for i, err := range e {
		parts[i] = err.Error()
		if err.Source != "" {
			parts[i] += "\n" + err.Excerpt()
		}
	}
	return strings.Join(parts, "\n")
}
