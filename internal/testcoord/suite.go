package testcoord

import (
	"context"
	"path/filepath"
	"time"
)

// Suite is a parsed and checked file, with all that it includes.
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
	// Seed is what chance is made of unless the run says otherwise; 0 when the file says nothing.
	Seed uint64
	// Peers are the names of all peers in the order in which they were declared or first used.
	Peers []string
	// Params are the values that may be set from outside, as they are set.
	Params []Param
	// Invariants are what must hold over the whole run.
	Invariants []Invariant
	// Measures are durations that are taken from the event log of the whole run.
	Measures []Measure
	// Steps in the order of the file. A block is one step.
	Steps []*Step
	// Cleanup are the blocks that are run when all else is over, in the order of the file.
	Cleanup []*Step
	// Files are the files that were included, as their paths were made.
	Files []string

	grammar *parser // reads lines with variables when these have their values
}

// Lines counts the steps of the suite, with those in blocks and without the blocks and the headings.
func (s *Suite) Lines() int { return countLines(s.Steps) + countLines(s.Cleanup) }

func countLines(steps []*Step) int {
	n := 0
	for _, s := range steps {
		_, heading := s.act.(section)
		switch {
		case s.block:
			n += countLines(s.Body)
		case !heading:
			n++
		}
	}
	return n
}

// fromSuite is the path of an included file, as it is written from the folder of the suite: the same wherever both lie.
func (s *Suite) fromSuite(file string) string {
	if file == "" {
		return ""
	}
	if rel, err := filepath.Rel(filepath.Dir(s.File), file); err == nil {
		file = rel
	}
	return filepath.ToSlash(file)
}

// Step is one line that does something, or a block of such lines.
type Step struct {
	// File is where the line stands, if that is an included file; else empty.
	File string
	// Line is its number in the file, from 1.
	Line int
	// Text is the line without blanks at its ends and without its comment.
	Text string
	// Body are the steps of a block.
	Body []*Step

	block      bool
	conds      []condition // all must hold
	background bool
	// act is what the step does; nil when that is known only at run time.
	act action
	// src is the line when it has variables whose values are known at run time only; else empty.
	src string
	// perPeer is set when the line is another one at each of its peers.
	perPeer bool
}

// action is what a step does. Each kind of line is one type, in a file of its own with its parser.
type action interface {
	// run does it, within ctx. A *failure has details to show.
	run(ctx context.Context, f *flow) error
}

// section begins a group of steps.
type section struct{ title string }

func (section) run(context.Context, *flow) error { return nil }

// failure is a step that failed, with what the user needs to see below it.
type failure struct {
	msg     string
	details []string // lines
	outputs []Output // of commands
}

func (f *failure) Error() string { return f.msg }
