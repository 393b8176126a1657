package node

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The names of limits, which are those of the settings too.
const (
	limitRequestBytes = "max-request-bytes"
	limitRate         = "max-rate"
	limitTotalRate    = "max-total-rate"
	limitWatches      = "max-watches"
)

// Limits bound what callers may ask of a server. Zero is no limit, except that gRPC takes no message of
// more than 4 MiB. A call beyond a limit ends with RESOURCE_EXHAUSTED, which names the limit; our
// clients do not try that again by themselves, since that would be more of what there is too much of. Health
// is exempt from all but the size.
type Limits struct {
	// MaxRequestBytes is how long a request message may be.
	MaxRequestBytes int
	// MaxRate is how many calls a second one client address may make; as many may come at once. An
	// IPv6 client is its network of 64 bits.
	MaxRate int
	// MaxTotalRate is the same for all clients together.
	MaxTotalRate int
	// MaxWatches is how many streams may be open at once.
	MaxWatches int
}

// hardBytes is what gRPC is told to take: longer messages are refused before they are read, with words of
// its own, while those between get the error that names the limit.
func (l Limits) hardBytes() int {
	const least, most = 1 << 20, 4 << 20
	if l.MaxRequestBytes == 0 {
		return most
	}
	return max(least, 4*l.MaxRequestBytes)
}

// limiter holds a server to its limits. It is safe for concurrent use.
type limiter struct {
	limits  Limits
	total   *rate.Limiter // nil for none
	clients *clients      // nil for no limit by client
	watches atomic.Int64
	hit     func(limit string)
}

func newLimiter(l Limits, hit func(limit string)) *limiter {
	out := &limiter{limits: l, hit: hit}
	if l.MaxTotalRate > 0 {
		out.total = rate.NewLimiter(rate.Limit(l.MaxTotalRate), l.MaxTotalRate)
	}
	if l.MaxRate > 0 {
		out.clients = newClients(l.MaxRate)
	}
	return out
}

// call takes one call from the rates, that of its client first: what one client has too much must not
// use up what there is for all.
func (l *limiter) call(client string) error {
	if l.clients != nil {
		if wait := take(l.clients.of(client)); wait > 0 {
			return l.exceeded(limitRate, wait, fmt.Sprintf("%s made more than %d calls a second", client, l.limits.MaxRate))
		}
	}
	if l.total == nil {
		return nil
	}
	if wait := take(l.total); wait > 0 {
		return l.exceeded(limitTotalRate, wait, fmt.Sprintf("there are more than %d calls a second", l.limits.MaxTotalRate))
	}
	return nil
}

// take takes one from a rate, or returns how long to wait for it.
func take(r *rate.Limiter) time.Duration {
	reserved := r.Reserve()
	wait := reserved.Delay()
	if wait > 0 {
		reserved.Cancel()
	}
	return wait
}

// watch counts a stream until done is called.
func (l *limiter) watch() (done func(), err error) {
	open := l.watches.Add(1)
	if most := int64(l.limits.MaxWatches); most > 0 && open > most {
		l.watches.Add(-1)
		return nil, l.exceeded(limitWatches, 0, fmt.Sprintf("%d watches are open", most))
	}
	return func() { l.watches.Add(-1) }, nil
}

// size checks a request message.
func (l *limiter) size(m any) error {
	message, ok := m.(proto.Message)
	if !ok || l.limits.MaxRequestBytes == 0 {
		return nil
	}
	if proto.Size(message) > l.limits.MaxRequestBytes {
		return l.exceeded(limitRequestBytes, 0, fmt.Sprintf("the request has more than %d bytes", l.limits.MaxRequestBytes))
	}
	return nil
}

func (l *limiter) exceeded(limit string, wait time.Duration, text string) error {
	l.hit(limit)
	return Exceeded(limit, wait, text)
}

// Exceeded is the error of a call beyond a limit, which is named like the setting that sets it: in the text, for
// people, and in a google.rpc.QuotaFailure, for programs. A wait that is not 0 is added as google.rpc.RetryInfo.
func Exceeded(limit string, wait time.Duration, text string) error {
	st := status.Newf(codes.ResourceExhausted, "%s: the limit is set by --%s", text, limit)
	details := []protoadapt.MessageV1{&errdetails.QuotaFailure{
		Violations: []*errdetails.QuotaFailure_Violation{{Subject: limit, Description: text}},
	}}
	if wait > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	}
	if detailed, err := st.WithDetails(details...); err == nil {
		st = detailed
	}
	return st.Err()
}
