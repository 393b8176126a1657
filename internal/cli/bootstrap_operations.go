package cli

import (
	"fmt"
	"strconv"
	"time"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/bootstrap/gateway"
	"peerlab.example/peerlab/internal/config"
	"peerlab.example/peerlab/internal/node"
)

// operations are what a service needs that others reach: limits, and an end that nobody notices.
type operations struct {
	limits     node.Limits
	maxGroups  int
	drain      time.Duration // how long calls that are under way may take at the end
	drainDelay time.Duration // how long health says so before anything ends
}

// operationSettings are the settings of operations. The defaults of the rates let a lab of a thousand peers on one
// machine start at once, and keep one client from taking all of a service that answers 10,000 calls a second.
func operationSettings() []config.Field {
	number := func(key, what string, def int, check func(string) error) config.Field {
		return config.Field{
			Key: key, Kind: app.Int, Default: strconv.Itoa(def), Summary: what, Check: check, Live: config.AtStart, Group: "operations",
		}
	}
	duration := func(key, what, def string) config.Field {
		return config.Field{Key: key, Kind: app.Duration, Default: def, Summary: what, Live: config.AtStart, Group: "operations"}
	}
	return []config.Field{
		number("max-request-bytes", "longest request", gateway.DefaultMaxRequestBytes, between(1024, 4<<20)),
		number("max-rate", "calls a second of one client address; 0 is no limit", 1000, between(0, maxRate)),
		number("max-total-rate", "calls a second of all clients together; 0 is no limit", 10_000, between(0, maxRate)),
		number("max-watches", "streams that may be open at once; 0 is no limit", 10_000, between(0, maxRate)),
		number("max-groups", "groups in the store", bootstrap.DefaultMaxGroups, between(1, 1_000_000)),
		duration("drain", "how long calls under way may take when the service ends", "5s"),
		duration("drain-delay", "how long health says that the service ends, before it does; for load balancers that ask for health", "0s"),
	}
}

// maxRate keeps a mistyped number from being a limit that is none; nobody makes so many calls.
const maxRate = 1_000_000

// between checks a whole number.
func between(least, most int) func(string) error {
	return func(text string) error {
		if n, err := strconv.Atoi(text); err != nil || n < least || n > most {
			return fmt.Errorf("must be %d to %d, not %s", least, most, text)
		}
		return nil
	}
}

// fill takes the values of the settings.
func (o *operations) fill(v config.Values) error {
	number := func(key string) int {
		n, _ := strconv.Atoi(v.Get(key)) // it was checked
		return n
	}
	o.limits = node.Limits{
		MaxRequestBytes: number("max-request-bytes"), MaxRate: number("max-rate"),
		MaxTotalRate: number("max-total-rate"), MaxWatches: number("max-watches"),
	}
	o.maxGroups = number("max-groups")
	var err error
	if o.drain, err = app.ParseDuration(v.Get("drain")); err != nil {
		return err
	}
	o.drainDelay, err = app.ParseDuration(v.Get("drain-delay"))
	return err
}
