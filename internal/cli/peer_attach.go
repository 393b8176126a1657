package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"peerlab.example/peerlab/internal/node"
	"peerlab.example/peerlab/internal/testcoord"
	testcoordv1 "peerlab.example/peerlab/proto/peerlab/testcoord/v1"
)

// attach takes commands from a coordinator until it ends the run, or is gone. One that is not there yet, or is between two
// runs, is waited for.
func (l *peerProcess) attach(ctx context.Context) error {
	addr := l.flags.coordinator
	conn, err := node.Dial(l.network, l.security, addr)
	if err != nil {
		return exit{exitUsage, fmt.Errorf("--coordinator: %w", err)}
	}
	defer func() { _ = conn.Close() }()
	hello := &testcoordv1.Hello{
		Name: l.Peer.Name(), Pid: int64(os.Getpid()), Addr: l.Peer.Addr(), Version: node.VersionLine(),
	}
	attached := false
	tell := func() {
		attached = true
		_, _ = fmt.Fprintf(l.output.Command(), "peer %s serves gRPC on %s, attached to the coordinator at %s\n", l.Peer.Name(), l.Peer.Addr(), addr)
	}
	until := time.Now().Add(l.flags.coordinatorTimeout)
	for {
		_, err = testcoord.Attach(ctx, testcoordv1.NewCoordinatorServiceClient(conn), hello, l.Executor, l.events, tell)
		if i := interrupted(ctx); i != nil {
			return i
		}
		if attached || status.Code(err) != codes.Unavailable || !sleep(ctx, until) {
			return attachError(addr, attached, err)
		}
	}
}

// attachPause is the time between two attempts to attach; the connection is made anew more often than that, see node.Dial.
const attachPause = 200 * time.Millisecond

// sleep waits for a moment before the next attempt, and reports whether there should be one.
func sleep(ctx context.Context, until time.Time) bool {
	if time.Until(until) < attachPause {
		return false
	}
	select {
	case <-time.After(attachPause):
		return true
	case <-ctx.Done():
		return false
	}
}

// attachError is how an attachment ended, with its exit code.
func attachError(addr string, attached bool, err error) error {
	var refused *testcoord.RefusedError
	switch lost := status.Code(err) == codes.Unavailable; {
	case err == nil:
		return nil
	case errors.As(err, &refused) && status.Code(err) == codes.NotFound:
		return exit{exitUsage, fmt.Errorf("coordinator %s: %w", addr, err)}
	case errors.As(err, &refused):
		return fmt.Errorf("coordinator %s: %w", addr, err)
	case lost && attached:
		return exit{exitUnreachable, fmt.Errorf("the coordinator %s is lost, so the run is over for this peer: %s", addr, reason(err))}
	case lost:
		return exit{exitUnreachable, fmt.Errorf("coordinator %s: %s", addr, reason(err))}
	}
	return fmt.Errorf("coordinator %s: %s", addr, reason(err))
}

// reason is what a server, or the connection to it, says is wrong, without the words around it.
func reason(err error) string {
	var s interface{ GRPCStatus() *status.Status }
	if errors.As(err, &s) {
		return node.Reason(s.GRPCStatus().Message())
	}
	return err.Error()
}
