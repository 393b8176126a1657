//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package term

import (
	"context"
	"errors"
)

// Available reports whether Run can work. Here it cannot: read lines as a script.
func Available() bool { return false }

// Run is not supported on this system.
func Run(context.Context, Config) error {
	return errors.New("no prompt on this system; use -e, -f or standard input")
}
