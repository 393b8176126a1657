package testcoord

import (
	"context"
)

// Runner starts peers. It is given by the one who starts the coordinator; see ProcessRunner.
type Runner interface {
	// Start starts the peer of that name, which then attaches to the coordinator. It does
	// not wait for that.
	Start(ctx context.Context, name string) (Process, error)
}

// Process is a started peer. All methods may be called from any goroutine.
type Process interface {
	// Done is closed when it has ended.
	Done() <-chan struct{}
	// Status says how it ended, such as "exit status 2" or "signal: killed"; empty for a
	// normal end. Valid when Done is closed.
	Status() string
	// Terminate asks it to end (SIGTERM); Kill ends it (SIGKILL), with all that it started.
	Terminate()
	Kill()
	// Tail are the last n lines it wrote.
	Tail(n int) []string
}
