package network

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind is what a fault does.
type FaultKind string

// The kinds of faults.
const (
	// Partition lets nothing pass. Packets are lost; connections fall silent and go on after it; dialling waits.
	Partition FaultKind = "partition"
	// Latency delays by Delay, and by up to Jitter more or less (uniform, as that of tc-netem without a table).
	// Packets with jitter may overtake each other; the bytes of a connection do not.
	Latency FaultKind = "latency"
	// Loss loses Percent of the packets. A connection loses nothing: its bytes are late by a retransmission.
	Loss FaultKind = "loss"
	// Duplicate sends Percent of the packets twice. Connections do not show it: TCP drops the copy.
	Duplicate FaultKind = "duplicate"
	// Reorder holds Percent of the packets back until the next one has overtaken them. Connections do not show it.
	Reorder FaultKind = "reorder"
	// Bandwidth lets BytesPerSecond pass in each direction of each link.
	Bandwidth FaultKind = "bandwidth"
)

// Bootstrap is the name of the bootstrap service in rules.
const Bootstrap = "bootstrap"

// Others is a group of a rule that holds all peers that its other groups do not name. Neither the bootstrap service
// nor an address without a name is among them.
const Others = "*"

// Rule is one fault. Where several apply to a link, all of them act: a partition is stronger than all else; losses, copies and
// reorderings are drawn one after the other, so that what passes multiplies; latencies add up; the smallest bandwidth decides.
type Rule struct {
	// ID names the rule at a peer. Set gives one to a rule that has none, and replaces the rule that has the same.
	ID   string
	Kind FaultKind
	// Delay and Jitter are those of Latency; Jitter is not above Delay.
	Delay, Jitter time.Duration
	// Percent is that of Loss, Duplicate and Reorder: above 0, at most 100.
	Percent float64
	// BytesPerSecond is that of Bandwidth.
	BytesPerSecond int64
	// Groups say which links: all between members of different groups, or with OneWay what goes from the first of two
	// groups to the second. Without groups it is all links of the peer that has the rule.
	Groups [][]string
	OneWay bool
	// Except are links, by the names at their ends, that the rule leaves alone.
	Except [][2]string
	// Channels are those that the rule is for; empty means all.
	Channels []Channel
	// For is after what time the rule ends by itself; 0 means never.
	For time.Duration
}

// String is the rule as ParseRule takes it.
func (r Rule) String() string {
	words := []string{string(r.Kind)}
	switch r.Kind {
	case Latency:
		amount := r.Delay.String()
		if r.Jitter > 0 {
			amount += "±" + r.Jitter.String()
		}
		words = append(words, amount)
	case Loss, Duplicate, Reorder:
		words = append(words, strconv.FormatFloat(r.Percent, 'f', -1, 64)+"%")
	case Bandwidth:
		words = append(words, formatRate(r.BytesPerSecond))
	case Partition:
	}
	between := "|"
	switch {
	case r.OneWay:
		between = "->"
	case r.Kind != Partition && len(r.Groups) == 2:
		between = "<->"
	}
	for i, g := range r.Groups {
		if i > 0 {
			words = append(words, between)
		}
		for _, name := range g {
			words = append(words, quoteName(name))
		}
	}
	for _, pair := range r.Except {
		words = append(words, "except", quoteName(pair[0]), quoteName(pair[1]))
	}
	if len(r.Channels) > 0 {
		names := make([]string, len(r.Channels))
		for i, ch := range r.Channels {
			names[i] = string(ch)
		}
		words = append(words, "on", strings.Join(names, ","))
	}
	if r.For > 0 {
		words = append(words, "for", r.For.String())
	}
	if r.ID != "" {
		words = append(words, "as", quoteName(r.ID))
	}
	return strings.Join(words, " ")
}

// quoteName puts what would be a word of the language into quotes.
func quoteName(name string) string {
	if isKeyword(name) {
		return `"` + name + `"`
	}
	return name
}

// rateUnits are the units of a bandwidth, the largest first. Those of bits come last: nothing is printed in them.
var rateUnits = []struct {
	name  string
	bytes float64
}{
	{"GB/s", 1e9}, {"MB/s", 1e6}, {"KB/s", 1e3}, {"B/s", 1},
	{"GiB/s", 1 << 30}, {"MiB/s", 1 << 20}, {"KiB/s", 1 << 10},
	{"Gbit/s", 1e9 / 8}, {"Mbit/s", 1e6 / 8}, {"kbit/s", 1e3 / 8},
}

// formatRate prints in the largest decimal unit that needs no fraction.
func formatRate(rate int64) string {
	for _, u := range rateUnits {
		if unit := int64(u.bytes); rate%unit == 0 {
			return strconv.FormatInt(rate/unit, 10) + u.name
		}
	}
	return "" // not reached: all are multiples of a byte
}

// Validate says what of a rule makes no sense. What ParseRule returns is valid.
func (r Rule) Validate() error {
	for _, check := range []func() error{r.checkAmount, r.checkLinks, r.checkChannels} {
		if err := check(); err != nil {
			return err
		}
	}
	if r.For < 0 {
		return fmt.Errorf("%s: a fault does not end after %s", r.Kind, r.For)
	}
	return nil
}

// maxNames is how many names a rule has: each is compared for each message.
const maxNames = 4096

// longestDelay is far above what any protocol waits for.
const longestDelay = time.Hour

func (r Rule) checkAmount() error {
	delayed, shared, paced := r.Delay != 0 || r.Jitter != 0, r.Percent != 0, r.BytesPerSecond != 0
	switch r.Kind {
	case Partition:
	case Latency:
		if r.Delay <= 0 || r.Jitter < 0 || r.Jitter > r.Delay || r.Delay > longestDelay {
			return fmt.Errorf("latency %s±%s: it is above 0 and at most %s, and the jitter is at most the latency", r.Delay, r.Jitter, longestDelay)
		}
		delayed = false
	case Loss, Duplicate, Reorder:
		if !(r.Percent > 0 && r.Percent <= 100) {
			return fmt.Errorf("%s %g%%: it is above 0%% and at most 100%%", r.Kind, r.Percent)
		}
		shared = false
	case Bandwidth:
		if r.BytesPerSecond <= 0 || r.BytesPerSecond >= 1<<53 { // where float64, in which it is reckoned, ceases to be exact
			return fmt.Errorf("bandwidth %d B/s: it is 1 B/s or more; for none at all there is partition", r.BytesPerSecond)
		}
		paced = false
	default:
		return fmt.Errorf("%q is no kind of fault; there are %s", r.Kind, strings.Join(faultKinds, ", "))
	}
	if delayed || shared || paced {
		return fmt.Errorf("%s: an amount is set that belongs to another kind", r.Kind)
	}
	return nil
}

func (r Rule) checkLinks() error {
	if len(r.Groups) == 1 || r.OneWay && len(r.Groups) != 2 {
		return fmt.Errorf("%s: a fault is between two groups or more (alice bob | carol), from one to one (alice -> bob), or at all links", r.Kind)
	}
	names := 2 * len(r.Except)
	for _, g := range r.Groups {
		names += len(g)
	}
	if names > maxNames {
		return fmt.Errorf("%s: %d names; %d are the most", r.Kind, names, maxNames)
	}
	seen := map[string]bool{}
	for _, g := range r.Groups {
		if len(g) == 0 {
			return fmt.Errorf("%s: a group is empty", r.Kind)
		}
		for _, name := range g {
			if err := checkFaultName(name); err != nil {
				return err
			}
			if seen[name] {
				return fmt.Errorf("%s: %s is named twice", r.Kind, name)
			}
			seen[name] = true
		}
		if len(g) > 1 && slices.Contains(g, Others) {
			return fmt.Errorf("%s: %s is all others, and stands alone in its group", r.Kind, Others)
		}
	}
	for _, pair := range r.Except {
		for _, name := range pair {
			if err := checkFaultName(name); err != nil {
				return err
			}
		}
		if pair[0] == pair[1] || pair[0] == Others || pair[1] == Others {
			return fmt.Errorf("%s: except takes the names of two, such as: except alice bob", r.Kind)
		}
	}
	if r.ID != "" {
		return checkFaultName(r.ID)
	}
	return nil
}

func (r Rule) checkChannels() error {
	packets := len(r.Channels) == 0
	for i, ch := range r.Channels {
		if !slices.Contains(allChannels, ch) {
			return fmt.Errorf("%q is no channel; there are packets, streams and rpc", ch)
		}
		if slices.Contains(r.Channels[:i], ch) {
			return fmt.Errorf("channel %s is named twice", ch)
		}
		packets = packets || ch == Packets
	}
	if !packets && (r.Kind == Duplicate || r.Kind == Reorder) {
		return fmt.Errorf("%s shows only with packets: TCP drops copies and puts what arrives into order", r.Kind)
	}
	return nil
}

var (
	allChannels = []Channel{Packets, Streams, RPC}
	faultKinds  = []string{"partition", "latency", "loss", "duplicate", "reorder", "bandwidth"}
)

// crosses reports whether the rule is for what goes from one to the other, which may be "" for an address without a name.
func (r *Rule) crosses(from, to string) bool {
	for _, p := range r.Except {
		if p == [2]string{from, to} || p == [2]string{to, from} {
			return false
		}
	}
	if len(r.Groups) == 0 {
		return true
	}
	a, b := r.group(from), r.group(to)
	if r.OneWay {
		return a == 0 && b == 1
	}
	return a >= 0 && b >= 0 && a != b
}

// group is the index of the group that a name is in, or -1.
func (r *Rule) group(name string) int {
	others := -1
	for i, g := range r.Groups {
		if slices.Contains(g, name) {
			return i
		}
		if g[0] == Others {
			others = i
		}
	}
	if name == "" || name == Bootstrap {
		return -1
	}
	return others
}

// on reports whether the rule is for a channel.
func (r *Rule) on(ch Channel) bool { return len(r.Channels) == 0 || slices.Contains(r.Channels, ch) }

// without is the rule with a link healed; ok is false when nothing of the rule is left.
func (r Rule) without(a, b string) (left Rule, ok bool) {
	r.Except = append(slices.Clone(r.Except), [2]string{a, b})
	if len(r.Groups) == 0 {
		return r, true
	}
	for i, from := range r.Groups {
		for _, to := range r.Groups[i+1:] {
			for _, x := range from {
				for _, y := range to {
					if x == Others || y == Others || r.crosses(x, y) {
						return r, true
					}
				}
			}
		}
	}
	return r, false
}
