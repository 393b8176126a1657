package term

import "peerlab.example/peerlab/internal/console"

// Config is what a prompt needs.
type Config struct {
	// Backend runs and completes the lines.
	Backend console.Backend
	// Output is attached to the prompt while Run runs. Its standard output must be the terminal.
	Output *console.Output
	// Prefix is what stands before the line, such as "alice (3 alive)> ". It is asked often and from
	// several goroutines, and must answer at once.
	Prefix func() string
	// Alarm is asked like Prefix: while it reports true, the prefix is red. It may be nil.
	Alarm func() bool
	// Color allows colours; without them, what is chosen is shown in reverse.
	Color bool
	// History may be nil.
	History *console.History
}
