package membership

import "errors"

// Errors that callers tell apart.
var (
	// ErrNameTaken says that a live member has the name already.
	ErrNameTaken = errors.New("name is taken by a live member")
	// ErrTooLarge says that a broadcast or an announcement does not fit into a packet.
	ErrTooLarge = errors.New("too large")
	// ErrFull says that a limit of the group's data is reached.
	ErrFull = errors.New("the group holds as much as it may")
	// ErrBusy says that too many broadcasts wait to be sent.
	ErrBusy = errors.New("too many broadcasts wait to be sent")
	// ErrNotSpread says that there was no time for a goodbye to reach all.
	ErrNotSpread = errors.New("the goodbye may not have reached all; they will take this peer for lost")
	// ErrNotRunning says that the node was not started, has left or is closed.
	ErrNotRunning = errors.New("membership does not run")
)
