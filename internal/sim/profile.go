package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"peerlab.example/peerlab/internal/network"
)

// DefaultProfile is that of a simulation that is not told another.
const DefaultProfile = "lan"

// Profiles are how far away hosts are from each other.
func Profiles() []string { return []string{"lan", "wan", "lossy"} }

// region is a part of the world. Hosts are put into regions in turn.
type region int

// regions are how many there are: the east and the west of the United States, Europe, South America, and south-east Asia.
const regions = 5

// oneWay is half the round trip between regions in milliseconds: medians between the regions us-east-1, us-west-1, eu-central-1,
// sa-east-1 and ap-southeast-1 of a large cloud, as cloudping.co measures them, rounded. Within a region it is half a millisecond.
var oneWay = [regions][regions]float64{
	{0.5, 31, 45, 57, 109},
	{31, 0.5, 75, 87, 87},
	{45, 75, 0.5, 102, 79},
	{57, 87, 102, 0.5, 164},
	{109, 87, 79, 164, 0.5},
}

// jitter is the part of a latency by which it varies.
const jitter = 0.1

// profile are the rules that the links of one host have by nature, under all faults. all are the names of all peers, in order.
func profile(name, self string, all []string) ([]network.Rule, error) {
	lan := network.Rule{Kind: network.Latency, Delay: 300 * time.Microsecond, Jitter: 200 * time.Microsecond}
	switch name {
	case "", "lan":
		return []network.Rule{lan}, nil
	case "lossy":
		return []network.Rule{
			{Kind: network.Latency, Delay: 20 * time.Millisecond, Jitter: 15 * time.Millisecond},
			{Kind: network.Loss, Percent: 2},
			{Kind: network.Reorder, Percent: 1, Channels: []network.Channel{network.Packets}},
			{Kind: network.Duplicate, Percent: 0.5, Channels: []network.Channel{network.Packets}},
		}, nil
	case "wan":
		return wan(self, all), nil
	}
	return nil, fmt.Errorf("network profile %q is none of %s", name, strings.Join(Profiles(), ", "))
}

// wan are the rules of one host: to each region and from it.
func wan(self string, all []string) []network.Rule {
	hosts := slices.Concat([]string{network.Bootstrap}, all)
	var in [regions][]string
	home := region(0)
	for i, name := range hosts {
		if name == self {
			home = region(i % regions)
			continue
		}
		in[i%regions] = append(in[i%regions], name)
	}
	var rules []network.Rule
	for r, names := range in {
		if len(names) == 0 {
			continue
		}
		delay := time.Duration(oneWay[home][r] * float64(time.Millisecond))
		rules = append(rules, network.Rule{
			Kind: network.Latency, Delay: delay, Jitter: time.Duration(float64(delay) * jitter), Groups: [][]string{{self}, names},
		})
	}
	return rules
}
