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

// regions are how many parts of the world there are, into which hosts are put in turn: the east and the west of the United States, Europe, South America, and south-east Asia.
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

// way is what the way between two hosts is like in a profile; n and m are their numbers.
func way(profile string, n, m int) network.Way {
	switch profile {
	case "wan":
		delay := time.Duration(oneWay[n%regions][m%regions] * float64(time.Millisecond))
		return network.Way{Delay: delay, Jitter: time.Duration(float64(delay) * jitter)}
	case "lossy":
		return network.Way{Delay: 20 * time.Millisecond, Jitter: 15 * time.Millisecond, Lost: 0.02, Twice: 0.005, Overtaken: 0.01}
	}
	return network.Way{Delay: 300 * time.Microsecond, Jitter: 200 * time.Microsecond}
}

// checkProfile refuses a name that is none; empty is DefaultProfile.
func checkProfile(name string) error {
	if name == "" || slices.Contains(Profiles(), name) {
		return nil
	}
	return fmt.Errorf("network profile %q is none of %s", name, strings.Join(Profiles(), ", "))
}
