package metrics

import (
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// maxGroups is how many groups have a series of their own. Anybody may make groups, 10,000 by default, and
// that many series are a burden to Prometheus; the labs that somebody looks at are few.
const maxGroups = 100

// otherGroups is the label of all others together. It is no name of a group, which has no parentheses.
const otherGroups = "(other)"

// rosters collects the sizes of rosters. A group keeps its series for as long as it has peers; a place that
// becomes free goes to the largest group without one.
type rosters struct {
	groups, peers, size *prometheus.Desc

	mu    sync.Mutex
	sizes map[string]int  // guarded by mu
	shown map[string]bool // guarded by mu; groups with a series of their own
}

func newRosters() *rosters {
	return &rosters{
		groups: prometheus.NewDesc("peerlab_bootstrap_groups", "Groups in the store.", nil, nil),
		peers:  prometheus.NewDesc("peerlab_bootstrap_peers", "Entries of all rosters.", nil, nil),
		size: prometheus.NewDesc("peerlab_bootstrap_roster_peers",
			"Entries of a roster; 100 groups at most are told apart, the others are (other).", []string{"group"}, nil),
		shown: map[string]bool{},
	}
}

// set replaces the sizes.
func (r *rosters) set(sizes map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sizes = sizes
	maps.DeleteFunc(r.shown, func(group string, _ bool) bool { return sizes[group] == 0 })
	if len(r.shown) == maxGroups {
		return
	}
	var waiting []string
	for group, n := range sizes {
		if n > 0 && !r.shown[group] {
			waiting = append(waiting, group)
		}
	}
	slices.SortFunc(waiting, func(a, b string) int { return sizes[b] - sizes[a] })
	for _, group := range waiting[:min(len(waiting), maxGroups-len(r.shown))] {
		r.shown[group] = true
	}
}

// Describe is that of prometheus.Collector.
func (r *rosters) Describe(out chan<- *prometheus.Desc) {
	out <- r.groups
	out <- r.peers
	out <- r.size
}

// Collect is that of prometheus.Collector.
func (r *rosters) Collect(out chan<- prometheus.Metric) {
	r.mu.Lock()
	all, other := 0, 0
	own := make(map[string]int, len(r.shown))
	for group, n := range r.sizes {
		all += n
		if r.shown[group] {
			own[group] = n
		} else {
			other += n
		}
	}
	groups := len(r.sizes)
	r.mu.Unlock()
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	gauge(r.groups, groups)
	gauge(r.peers, all)
	for group, n := range own {
		gauge(r.size, n, group)
	}
	gauge(r.size, other, otherGroups)
}
