package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"

	"peerlab.example/peerlab/internal/bootstrap"
	"peerlab.example/peerlab/internal/node"
)

// Bounds of one scrape. Gathering takes about a millisecond.
const (
	maxScrapes    = 4 // at once; more are answered with 503
	scrapeTimeout = 5 * time.Second
)

// seconds are the buckets of latencies: from a call that is answered from memory, through an fsync, to the
// deadline of clients.
var seconds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// Metrics are the numbers of one service. It is a node.Observer and a bootstrap.Meter, and safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	calls   *prometheus.CounterVec   // by method and code
	latency *prometheus.HistogramVec // by method
	streams *prometheus.GaugeVec     // by method
	limits  *prometheus.CounterVec   // by limit

	store   *prometheus.HistogramVec // by operation and result
	retries prometheus.Counter
	ended   prometheus.Counter
	sweeps  prometheus.Counter
	rosters *rosters
	healthy prometheus.Gauge
}

var (
	_ node.Observer   = (*Metrics)(nil)
	_ bootstrap.Meter = (*Metrics)(nil)
)

// New returns metrics that are all zero, beside those of the Go runtime and of the process.
func New() *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histograms := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls:    counters("peerlab_grpc_requests_total", "Calls and streams that ended, HTTP/JSON included.", "method", "code"),
		latency:  histograms("peerlab_grpc_request_seconds", "How long calls took, streams excluded.", "method"),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "peerlab_grpc_streams_open", Help: "Streams that are open.",
		}, []string{"method"}),
		limits:  counters("peerlab_limit_hits_total", "Calls that a limit refused.", "limit"),
		store:   histograms("peerlab_bootstrap_store_seconds", "How long calls of the store took.", "operation", "result"),
		retries: counter("peerlab_bootstrap_store_retries_total", "Changes that were made anew because another came first."),
		ended:   counter("peerlab_bootstrap_leases_ended_total", "Entries dropped because nobody renewed them."),
		sweeps:  counter("peerlab_bootstrap_sweeps_total", "Looks at all groups for leases that have ended."),
		rosters: newRosters(),
		healthy: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "peerlab_healthy", Help: "1 while the store can make changes, else 0.",
		}),
	}
	m.registry.MustRegister(
		m.calls, m.latency, m.streams, m.limits, m.store, m.retries, m.ended, m.sweeps, m.rosters, m.healthy, build(),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// build is a series of the value 1 whose labels say which build this is.
func build() prometheus.Collector {
	v := node.Version("", "")
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "peerlab_build_info", Help: "Which build this is.",
		ConstLabels: prometheus.Labels{"version": v.GetVersion(), "revision": v.GetRevision(), "go_version": v.GetGoVersion()},
	})
	g.Set(1)
	return g
}

// Handler answers in the text format of Prometheus, or in another that the request prefers.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout})
}

// SetHealthy says whether the store can make changes.
func (m *Metrics) SetHealthy(ok bool) {
	if ok {
		m.healthy.Set(1)
	} else {
		m.healthy.Set(0)
	}
}

// CallEnded is that of node.Observer.
func (m *Metrics) CallEnded(method string, code codes.Code, took time.Duration) {
	m.calls.WithLabelValues(method, codeName(code)).Inc()
	m.latency.WithLabelValues(method).Observe(took.Seconds())
}

// StreamOpened is that of node.Observer.
func (m *Metrics) StreamOpened(method string) { m.streams.WithLabelValues(method).Inc() }

// StreamEnded is that of node.Observer.
func (m *Metrics) StreamEnded(method string, code codes.Code) {
	m.streams.WithLabelValues(method).Dec()
	m.calls.WithLabelValues(method, codeName(code)).Inc()
}

// codeName bounds the codes, of which a handler may make up others.
func codeName(code codes.Code) string {
	if code > codes.Unauthenticated {
		code = codes.Unknown
	}
	return code.String()
}

// LimitHit is that of node.Observer and of bootstrap.Meter.
func (m *Metrics) LimitHit(limit string) { m.limits.WithLabelValues(limit).Inc() }

// StoreCall is that of bootstrap.Meter, as are the methods below.
func (m *Metrics) StoreCall(operation, result string, took time.Duration) {
	m.store.WithLabelValues(operation, result).Observe(took.Seconds())
}

// StoreRetried counts.
func (m *Metrics) StoreRetried() { m.retries.Inc() }

// LeasesEnded counts.
func (m *Metrics) LeasesEnded(entries int) { m.ended.Add(float64(entries)) }

// Swept replaces what is known of the rosters.
func (m *Metrics) Swept(sizes map[string]int) {
	m.sweeps.Inc()
	m.rosters.set(sizes)
}
