package bootstrap

import (
	"context"
	"time"

	"peerlab.example/peerlab/internal/node"
)

const (
	// maxMargin is the most of a caller's time that Patience keeps for the way back.
	maxMargin = 500 * time.Millisecond
	// Silence is how long a backend that works may need at times. A store whose caller had less patience does not
	// conclude that its backend is gone.
	Silence = 400 * time.Millisecond
)

// Patience is how long a store waits for its backend on behalf of a caller: most, or less when ctx ends earlier. A
// quarter of the time that is left, at most half a second, is kept, so that the store's own error, which says what is
// wrong, reaches the caller before its deadline, which says nothing.
func Patience(ctx context.Context, most time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return most
	}
	left := time.Until(deadline)
	return max(0, min(most, left-min(left/4, maxMargin)))
}

// Reason is what a message of gRPC says about a backend, without what gRPC puts around the error of a connection: who gets
// the message over gRPC again would take that for an error of his own connection.
func Reason(message string) string {
	return node.Reason(message)
}
