package peer

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"peerlab.example/peerlab/app"
	"peerlab.example/peerlab/internal/command"
)

// The labels of the peer's own numbers.
var (
	byState = []string{"state"}
	byPeer  = []string{"peer"}
	byWay   = []string{"over"}
	byLink  = []string{"kind", "from", "to"}
)

// states are those that a member can be in.
var states = []app.State{app.Alive, app.Suspect, app.Left, app.Lost}

// ownMetrics are the numbers of every peer.
var ownMetrics = []app.Metric{
	{Name: "members", Labels: byState, Help: "members by their state in this peer's view, with this one"},
	{Name: "member_rtt_seconds", Labels: byPeer, Help: "how long the last probe of a member took"},
	{Name: "roster_size", Help: "peers in the roster, as this peer last saw it"},
	{Name: "events_total", Help: "events that this peer has logged"},
	{Name: "gossip_health_score", Help: "0 is well; each point makes this peer wait longer before it doubts others"},
	{Name: "gossip_packets_sent_total", Help: "packets of gossip that were sent"},
	{Name: "gossip_packets_received_total", Help: "packets of gossip that came"},
	{Name: "gossip_bytes_sent_total", Labels: byWay, Help: "bytes of gossip that were sent, over packets and over streams"},
	{Name: "gossip_bytes_received_total", Labels: byWay, Help: "bytes of gossip that came, over packets and over streams"},
	{Name: "gossip_broadcasts_queued", Help: "broadcasts of applications that wait to be sent, or to be sent again"},
	{Name: "gossip_dropped_total", Help: "broadcasts and states that came faster than they could be handled, or were too large"},
	{Name: "gossip_syncs_total", Help: "full syncs that a difference led to, or that many joined at once"},
	{Name: "gossip_heals_total", Help: "attempts to reach members that are lost"},
	{Name: "data_entries", Help: "replicated keys that have a value, those of all applications"},
	{Name: "data_deletions", Help: "deletions of replicated keys that are remembered"},
	{Name: "data_refused_total", Help: "replicated entries of others that were refused"},
	{Name: "faults", Help: "faults that are set at this peer"},
	{Name: "fault_hits", Labels: byLink, Help: "packets and parts of connections on which the faults that are set have acted"},
	{Name: "fault_lost", Labels: byLink, Help: "packets that were lost to the faults that are set"},
}

// Metrics are the numbers that this peer tells, with those of its applications.
func (p *Peer) Metrics() []app.Metric {
	out := slices.Clone(ownMetrics)
	for _, h := range p.apps {
		if m, ok := h.app.(app.Meter); ok {
			for _, metric := range m.Metrics() {
				metric.Name = h.app.Name() + "_" + metric.Name
				out = append(out, metric)
			}
		}
	}
	return out
}

// measure tells all numbers as they are now.
func (p *Peer) measure() []app.Sample {
	out := slices.Concat(p.measureMembers(), p.measureGossip(), p.measureFaults())
	for _, h := range p.apps {
		if m, ok := h.app.(app.Meter); ok {
			for _, s := range m.Measure() {
				s.Name = h.app.Name() + "_" + s.Name
				out = append(out, s)
			}
		}
	}
	return out
}

func (p *Peer) measureMembers() []app.Sample {
	count := map[app.State]float64{}
	var out []app.Sample
	for _, m := range p.Members() {
		count[m.State]++
		if m.RTT > 0 {
			out = append(out, app.Sample{Name: "member_rtt_seconds", Labels: []string{m.Name}, Value: m.RTT.Seconds()})
		}
	}
	for _, s := range states {
		out = append(out, app.Sample{Name: "members", Labels: []string{string(s)}, Value: count[s]})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.roster != nil {
		out = append(out, app.Sample{Name: "roster_size", Value: float64(len(p.roster.GetPeers()))})
	}
	return append(out, app.Sample{Name: "events_total", Value: float64(p.deps.Events.Last())})
}

// measureGossip tells nothing before there is a membership.
func (p *Peer) measureGossip() []app.Sample {
	m := p.membership()
	if m == nil {
		return nil
	}
	s, t := m.Stats(), m.Traffic()
	one := func(name string, value float64) app.Sample { return app.Sample{Name: name, Value: value} }
	over := func(name, way string, value int64) app.Sample {
		return app.Sample{Name: name, Labels: []string{way}, Value: float64(value)}
	}
	return []app.Sample{
		one("gossip_health_score", float64(s.HealthScore)),
		one("gossip_packets_sent_total", float64(t.PacketsSent)), one("gossip_packets_received_total", float64(t.PacketsReceived)),
		over("gossip_bytes_sent_total", "packets", t.PacketBytesSent), over("gossip_bytes_sent_total", "streams", t.StreamBytesSent),
		over("gossip_bytes_received_total", "packets", t.PacketBytesReceived), over("gossip_bytes_received_total", "streams", t.StreamBytesReceived),
		one("gossip_broadcasts_queued", float64(s.Queued)), one("gossip_dropped_total", float64(s.Dropped)),
		one("gossip_syncs_total", float64(s.Syncs)), one("gossip_heals_total", float64(s.Heals)),
		one("data_entries", float64(s.Entries)), one("data_deletions", float64(s.Tombstones)), one("data_refused_total", float64(s.Refused)),
	}
}

// measureFaults adds up the rules of one kind on one link.
func (p *Peer) measureFaults() []app.Sample {
	type link struct{ kind, from, to string }
	hits, lost := map[link]uint64{}, map[link]uint64{}
	var links []link
	list := p.faults.List()
	for _, f := range list {
		for _, h := range f.Links {
			at := link{string(f.Rule.Kind), h.From, h.To}
			if _, seen := hits[at]; !seen {
				links = append(links, at)
			}
			hits[at] += h.Hits
			lost[at] += h.Lost
		}
	}
	out := []app.Sample{{Name: "faults", Value: float64(len(list))}}
	for _, at := range links {
		labels := []string{at.kind, at.from, at.to}
		out = append(out, app.Sample{Name: "fault_hits", Labels: labels, Value: float64(hits[at])},
			app.Sample{Name: "fault_lost", Labels: labels, Value: float64(lost[at])})
	}
	return out
}

// metricsCommand shows the numbers.
func (p *Peer) metricsCommand() app.Spec {
	metrics := p.Metrics()
	var names []string
	detail := "Numbers that end in _total begin at 0 with each start and only grow. In suites: expect alice metric members{state=alive} = 3.\n"
	for _, m := range metrics {
		names = append(names, m.Name)
		detail += "\n  " + shape(m) + ": " + m.Help
	}
	return app.Spec{
		Name: "metrics", Group: "development",
		Summary: "show the numbers of this peer and of its applications, or those of some names",
		Detail:  detail,
		Example: "metrics members",
		Params:  []app.Param{{Name: "name", Kind: app.Enum, Values: names, Optional: true, Repeated: true}},
		Run: func(_ context.Context, _ *app.Env, args app.Args) (any, error) {
			return p.metricTable(metrics, args.All("name")), nil
		},
	}
}

// shape is a name with its labels.
func shape(m app.Metric) string {
	if len(m.Labels) == 0 {
		return m.Name
	}
	return m.Name + "{" + strings.Join(m.Labels, ",") + "}"
}

// metricTable has the samples of the names, or all, in the order of the metrics.
func (p *Peer) metricTable(metrics []app.Metric, names []string) app.Table {
	index := map[string]int{}
	for i, m := range metrics {
		if len(names) == 0 || slices.Contains(names, m.Name) {
			index[m.Name] = i
		}
	}
	samples := slices.DeleteFunc(p.measure(), func(s app.Sample) bool {
		i, wanted := index[s.Name]
		return !wanted || len(s.Labels) != len(metrics[i].Labels) // what an application did not announce is not told
	})
	slices.SortStableFunc(samples, func(a, b app.Sample) int {
		return cmp.Or(cmp.Compare(index[a.Name], index[b.Name]), slices.Compare(a.Labels, b.Labels))
	})
	t := app.Table{Columns: []string{"name", "labels", "value"}}
	for _, s := range samples {
		t.Add(s.Name, labels{metrics[index[s.Name]].Labels, s.Labels}, number(s.Value))
	}
	return t
}

// labels are names and, in their order, values.
type labels struct{ names, values []string }

// String is "from=alice,to=bob".
func (l labels) String() string {
	parts := make([]string, len(l.names))
	for i, name := range l.names {
		parts[i] = name + "=" + command.Quote(l.values[i])
	}
	return strings.Join(parts, ",")
}

// MarshalJSON writes an object.
func (l labels) MarshalJSON() ([]byte, error) {
	object := map[string]string{}
	for i, name := range l.names {
		object[name] = l.values[i]
	}
	return json.Marshal(object)
}

// number is a value that people read without an exponent.
type number float64

// String has as many digits as are needed.
func (n number) String() string { return strconv.FormatFloat(float64(n), 'f', -1, 64) }

// MarshalJSON writes null for what is no number.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return []byte(n.String()), nil
}

// metricName is what Prometheus allows, without capitals.
var metricName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// checkMetrics says what is wrong with the numbers that an application has.
func checkMetrics(a app.App) error {
	m, ok := a.(app.Meter)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for _, metric := range m.Metrics() {
		if !metricName.MatchString(metric.Name) || seen[metric.Name] {
			return fmt.Errorf("application %s: metric %q needs a name of its own, of lower-case letters, digits and _", a.Name(), metric.Name)
		}
		seen[metric.Name] = true
		for _, label := range metric.Labels {
			if !metricName.MatchString(label) {
				return fmt.Errorf("application %s: label %q of metric %s is not of lower-case letters, digits and _", a.Name(), label, metric.Name)
			}
		}
	}
	return nil
}
