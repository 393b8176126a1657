package bolt

import "time"

// OpenHeld is Open with a timeout of calls, and with a function that each transaction passes: it may block, or fail the
// transaction. It is given about how many bytes are to be written.
func OpenHeld(path string, maxGroups int, timeout time.Duration, hold func(size int) error) (*Store, error) {
	return open(path, maxGroups, timeout, hold)
}
