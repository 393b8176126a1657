package peer

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"peerlab.example/peerlab/app"
)

// metered is an application that counts.
type metered struct {
	app.App
	metrics []app.Metric
	samples []app.Sample
}

func (m metered) Metrics() []app.Metric { return m.metrics }
func (m metered) Measure() []app.Sample { return m.samples }

func TestMetrics(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.peer("alice", func(_ *Config, d *Deps) {
			d.Apps = []app.App{metered{
				App:     d.Apps[0],
				metrics: []app.Metric{{Name: "seen_total", Labels: []string{"who"}, Help: "what was seen"}, {Name: "odd"}},
				samples: []app.Sample{
					{Name: "seen_total", Labels: []string{"two\twords"}, Value: 1.5}, {Name: "seen_total", Labels: []string{"b", "c"}},
					{Name: "secret", Value: 1}, {Name: "odd", Value: math.NaN()},
				},
			}}
		})
		if got := alice.mustDo("metrics members roster_size gossip_packets_sent_total"); strings.Contains(got, "roster") || strings.Contains(got, "gossip") || !strings.Contains(got, `{"state":"alive"},"value":0`) {
			t.Errorf("before init: %s", got)
		}
		alice.mustInit()
		bob := l.joined("bob")
		alice.sees("alice", "bob")
		alice.mustDo("fault latency 1ms alice -> bob")
		<-time.After(10 * time.Second)
		name := alice.apps[0].app.Name()
		for line, want := range map[string]string{
			"metrics members":                 `[{"name":"members","labels":{"state":"alive"},"value":2},{"name":"members","labels":{"state":"left"},"value":0},{"name":"members","labels":{"state":"lost"},"value":0},{"name":"members","labels":{"state":"suspect"},"value":0}]`,
			"metrics roster_size":             `[{"name":"roster_size","labels":{},"value":2}]`,
			"metrics faults":                  `[{"name":"faults","labels":{},"value":1}]`,
			"metrics " + name + "_seen_total": `[{"name":"` + name + `_seen_total","labels":{"who":"two\twords"},"value":1.5}]`,
			"metrics " + name + "_odd":        `[{"name":"` + name + `_odd","labels":{},"value":null}]`,
		} {
			if got := alice.mustDo(line); got != want {
				t.Errorf("%s: %s\nwant %s", line, got, want)
			}
		}
		values := map[string]float64{}
		for _, s := range alice.measure() {
			values[s.Name+strings.Join(s.Labels, ",")] += s.Value
		}
		for _, name := range []string{
			"gossip_packets_sent_total", "gossip_packets_received_total", "gossip_bytes_sent_totalpackets", "gossip_bytes_received_totalpackets",
			"gossip_bytes_received_totalstreams", "gossip_bytes_sent_totalstreams", "member_rtt_secondsbob", "events_total", "fault_hitslatency,alice,bob",
		} {
			if values[name] <= 0 {
				t.Errorf("%s is %v in %v", name, values[name], values)
			}
		}
		bob.leave()
	})
}

// TestMetricsAreNumbers checks that all that is measured is announced, and can be read back.
func TestMetricsAreNumbers(t *testing.T) {
	inLab(t, func(l *testLab) {
		alice := l.joined("alice")
		announced := map[string]int{}
		for _, m := range alice.Metrics() {
			announced[m.Name] = len(m.Labels) + 1
			if m.Help == "" || !metricName.MatchString(m.Name) {
				t.Errorf("%+v", m)
			}
		}
		for _, s := range alice.measure() {
			if announced[s.Name] != len(s.Labels)+1 {
				t.Errorf("%+v is not announced", s)
			}
		}
		var all []struct {
			Name  string
			Value float64
		}
		if err := json.Unmarshal([]byte(alice.mustDo("metrics")), &all); err != nil || len(all) < 15 {
			t.Errorf("%v: %v", err, all)
		}
	})
}

func TestBadMetricsAreRefused(t *testing.T) {
	t.Parallel()
	for _, m := range [][]app.Metric{{{Name: "Seen"}}, {{Name: ""}}, {{Name: "a"}, {Name: "a"}}, {{Name: "a", Labels: []string{"b c"}}}} {
		if err := checkMetrics(metered{App: &recorder{}, metrics: m}); err == nil {
			t.Errorf("%v is no mistake", m)
		}
	}
}
