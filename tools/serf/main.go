// Command serfwait waits until each of some serf agents lists a number of members that are alive. The benchmark that compares the
// start of a lab with that of serf uses it, which the benchmark's module cannot do itself without serf among its requirements.
//
//	serfwait [-timeout D] COUNT RPC-ADDRESS…
//
// The agents are asked one after the other, each until it answers so: nobody leaves meanwhile, so that this finds the moment
// at which the last one knows all, and asking costs the agents next to nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/hashicorp/serf/client"
)

// pause is between two questions to one agent.
const pause = 10 * time.Millisecond

func main() {
	limit := flag.Duration("timeout", 2*time.Minute, "when to give up")
	flag.Parse()
	if err := run(*limit, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "serfwait:", err)
		os.Exit(1)
	}
}

func run(limit time.Duration, args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("a number of members and RPC addresses are needed, not %q", args)
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("the number of members: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for _, addr := range args[1:] {
		if err := wait(ctx, addr, n); err != nil {
			return fmt.Errorf("%s: %w", addr, err)
		}
	}
	return nil
}

// wait waits for one agent, which need not listen yet.
func wait(ctx context.Context, addr string, n int) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	var c *client.RPCClient
	defer func() {
		if c != nil {
			_ = c.Close()
		}
	}()
	last := "it does not answer"
	for {
		var err error
		if c == nil {
			c, err = client.NewRPCClient(addr)
		}
		if err == nil {
			members, err := c.MembersFiltered(nil, "alive", "")
			switch {
			case err != nil:
				return err
			case len(members) >= n:
				return nil
			}
			last = fmt.Sprintf("it knows %d of %d", len(members), n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", last, ctx.Err())
		}
	}
}
