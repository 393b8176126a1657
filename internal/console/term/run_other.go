//go:build !unix

package term

import (
	"context"
	"errors"
)

// Available is false: on this system lines are read without a prompt.
func Available() bool { return false }

// Run is not to be had on this system.
func Run(context.Context, Config) error {
	return errors.New("a prompt needs a unix terminal; lines are read from standard input instead")
}
