package testcoord

import (
	"context"
	"time"
)

// Suite is a parsed and checked file.
type Suite struct {
	// File is its name, as given to Parse.
	File string
	// Name is what "suite" says, or the file's name without directory and ending.
	Name string
	Tags []string
	// Timeout bounds the whole run; 0 is no bound.
	Timeout time.Duration
	// Profile is the gossip profile of every peer; empty when the file says nothing.
	Profile string
	// Peers are the names of all peers in the order in which they were declared or first used.
	Peers []string
	// Invariants are what must hold over the whole run.
	Invariants []Invariant
	// Steps in the order of the file.
	Steps []*Step
}

// Step is one line that does something.
type Step struct {
	// Line is its number in the file, from 1.
	Line int
	// Text is the line without blanks at its ends and without its comment.
	Text string
	act  action
}

// action is what a step does. Each kind of line is one type, in a file of its own with its parser.
type action interface {
	// run does it, within ctx. A *failure has details to show.
	run(ctx context.Context, c *Coordinator) error
}

// section begins a group of steps.
type section struct{ title string }

func (section) run(context.Context, *Coordinator) error { return nil }

// failure is a step that failed, with what the user needs to see below it.
type failure struct {
	msg     string
	details []string // lines
}

func (f *failure) Error() string { return f.msg }
