package netns

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MissingError says what a lab needs that is not there, and what would help.
type MissingError struct {
	What  string // such as "root"
	Helps string // what the user can do; may be empty
	Err   error  // what the system said
}

func (e *MissingError) Error() string {
	s := fmt.Sprintf("network namespaces need %s: %v", e.What, e.Err)
	if e.Helps != "" {
		s += "; " + e.Helps
	}
	return s
}

func (e *MissingError) Unwrap() error { return e.Err }

// need is something that a kernel may not be able to do, and how to try it in a namespace.
type need struct {
	what, module string
	tool         string
	lines        []string
}

// needs are what every lab uses, in an order in which each can be tried after those before it.
var needs = []need{
	{"a bridge", "bridge (CONFIG_BRIDGE)", "ip", []string{"link add br0 type bridge"}},
	{"pairs of links", "veth (CONFIG_VETH)", "ip", []string{"link add p1 type veth peer name eth0", "link set eth0 up"}},
	{"the queueing discipline htb", "sch_htb (CONFIG_NET_SCH_HTB)", "tc", []string{
		"qdisc add dev eth0 root handle 1: htb default 1",
		"class add dev eth0 parent 1: classid 1:1 htb rate 10gbit quantum 60000",
		"qdisc add dev eth0 parent 1:1 handle 2: blackhole",
	}},
	{"the classifier u32", "cls_u32 (CONFIG_NET_CLS_U32)", "tc", []string{
		"filter add dev eth0 parent 1: protocol ip pref 1 u32 match ip dst 10.0.0.1/32 flowid 1:1",
	}},
}

// netem is what faults other than partition and bandwidth need in addition.
var netem = need{"the queueing discipline netem", "sch_netem (CONFIG_NET_SCH_NETEM)", "tc", []string{
	"qdisc replace dev eth0 parent 1:1 handle 3: netem delay 1ms",
}}

// Abilities are what this machine can do beyond what every lab needs.
type Abilities struct {
	// Netem is nil when latency, loss, duplication and reordering work; otherwise it says why not.
	// Partition and bandwidth always work.
	Netem error
}

// Check tries, in a namespace of its own that is gone when it returns, all that a lab needs. The error
// is a *MissingError.
func Check(ctx context.Context) (Abilities, error) {
	if err := permitted(); err != nil {
		return Abilities{}, err
	}
	ns, err := newHubName()
	if err != nil {
		return Abilities{}, &MissingError{What: "/proc", Err: err}
	}
	if _, err := run(ctx, "", "ip", "netns", "add", ns); err != nil {
		return Abilities{}, &MissingError{
			What: "the right to create one", Err: err,
			Helps: "a container needs --privileged, or --cap-add SYS_ADMIN and NET_ADMIN without the usual seccomp profile; the kernel needs CONFIG_NET_NS",
		}
	}
	a, err := try(ctx, ns)
	return a, errors.Join(err, remove(context.WithoutCancel(ctx), []string{ns}))
}

// try tries all needs in a namespace.
func try(ctx context.Context, ns string) (Abilities, error) {
	for _, n := range needs {
		if err := n.try(ctx, ns); err != nil {
			return Abilities{}, err
		}
	}
	return Abilities{Netem: netem.try(ctx, ns)}, nil
}

func (n need) try(ctx context.Context, ns string) error {
	err := batch(ctx, n.tool, ns, n.lines)
	if err == nil {
		return nil
	}
	return &MissingError{
		What: n.what, Err: err,
		Helps: "load the kernel module " + n.module + " with modprobe, or use a kernel that has it (those of distributions do, some of small virtual machines do not)",
	}
}

// tearDownTimeout bounds what is done after the caller's context may have ended.
const tearDownTimeout = time.Minute
