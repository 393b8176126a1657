// Package fast runs a simulation natively, with the virtual time of testing/synctest. It is much faster than a guest in wazero and takes the
// machine's own order of goroutines and its randomness, so that a run cannot be repeated: it is for labs that are large.
//
// synctest gives its clock to tests only. But package testing is an ordinary package, and a test that nobody runs, new(testing.T), is all that
// synctest.Test wants of one: it takes its name and its place in the tree of tests. The alternatives are worse: RunTests wants the command
// line of go test, go:linkname into the runtime is refused by the linker, and a clock of ours would have to go through all of memberlist
// and gRPC.
//
// Each run is a process of its own, which is a guest as the one in wazero is: nothing less survives a panic of any goroutine, or ends one that
// computes for ever.
package fast

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"time"

	"peerlab.example/peerlab/internal/sim"
)

// Run runs a spec in a process that begin makes, and that calls Guest. text gets what a person watches, as it happens. When ctx ends, so does
// the run, with what it has until then. One that panics, exits or stands still is a sim.BrokenError.
func Run(ctx context.Context, begin func() (*exec.Cmd, error), spec *sim.Spec, text io.Writer) (*sim.Outcome, error) {
	in, reader, err := sim.Send(spec, text)
	if err != nil {
		return nil, err
	}
	cmd, err := begin()
	if err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stderr := &sim.Stderr{}
	cmd.Stdout, cmd.Stderr = reader, stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	defer close(ended)
	defer context.AfterFunc(ctx, func() {
		_ = stdin.Close()
		select {
		case <-ended:
		case <-time.After(sim.Farewell):
			_ = cmd.Process.Kill()
		}
	})()
	_, _ = stdin.Write(in) // if it cannot be written, the process has ended, and says why
	failed := cmd.Wait()
	outcome, err := reader.Outcome()
	var exited *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return outcome, context.Cause(ctx)
	case errors.As(failed, &exited):
		return nil, sim.Panicked(spec.Seed, stderr.String()+"\n"+failed.Error())
	case failed != nil:
		return nil, failed
	case errors.Is(err, sim.ErrNoOutcome):
		return nil, sim.Exited(spec.Seed, stderr.String())
	}
	return outcome, err
}
