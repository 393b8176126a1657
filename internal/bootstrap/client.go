package bootstrap

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// ClientOptions of a client. The zero value is usable.
type ClientOptions struct {
	// Timeout of one call with all its retries; 0 means 5 seconds. An earlier deadline of the
	// caller's context holds. Watch has none.
	Timeout time.Duration
	// MinBackoff and MaxBackoff bound the wait before a retry, which doubles each time and is
	// then drawn from its upper half; 0 means 50 ms and 1 s.
	MinBackoff, MaxBackoff time.Duration
	// OnRetry, if set, is told before the wait why a call is tried again, and when.
	OnRetry func(method string, err error, wait time.Duration)
}

// NewClient returns a client over a connection, which remains the caller's to close. A call
// that ends with UNAVAILABLE is tried again until its timeout, and then returns that last
// error: all calls of the service but Watch may be made twice without harm. A Watch that breaks is for
// the caller to begin again; its first answer is the whole roster.
func NewClient(conn grpc.ClientConnInterface, o ClientOptions) bootstrapv1.BootstrapServiceClient {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MinBackoff == 0 {
		o.MinBackoff = 50 * time.Millisecond
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = time.Second
	}
	return bootstrapv1.NewBootstrapServiceClient(&retrying{ClientConnInterface: conn, o: o})
}

// retrying is a connection whose unary calls have a deadline and are retried.
type retrying struct {
	grpc.ClientConnInterface
	o ClientOptions
}

// Invoke is that of grpc.ClientConnInterface.
func (c *retrying) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	var last error
	for wait := c.o.MinBackoff; ; wait = min(2*wait, c.o.MaxBackoff) {
		err := c.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
		if status.Code(err) == codes.DeadlineExceeded {
			switch {
			case last != nil:
				return last // it says what is wrong, and this only that the last try had no time
			case errors.Is(ctx.Err(), context.DeadlineExceeded):
				return status.Errorf(codes.DeadlineExceeded, "no answer within %s", time.Since(begun).Round(time.Millisecond))
			}
		}
		if status.Code(err) != codes.Unavailable {
			return err
		}
		last = err
		pause := wait/2 + rand.N(wait/2+1)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
			return err // no time is left for another try, and this error says more than a deadline would
		}
		if c.o.OnRetry != nil {
			c.o.OnRetry(method, err, pause)
		}
		if sleep(ctx, pause) != nil {
			return err
		}
	}
}
