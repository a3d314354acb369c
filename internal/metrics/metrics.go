// Package metrics counts what the service does, for Prometheus.
//
// Every label value comes from a fixed set of ours: routes are patterns, never
// the path that a stranger sent. A nil [Metrics] counts nothing and costs
// nothing, which is what a service without a metrics listener uses.
package metrics

import (
	"cmp"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// What a rate limit did, for [Metrics.RateLimited].
const (
	UserRefused    = "user"     // a verified user asked too often
	AddressRefused = "address"  // an address failed too often at servers of strangers
	AddressSlowed  = "slowdown" // the same at a server that the operator named
	OriginRefused  = "origin"   // another homeserver asked too often
	// ProgressRefused: a client network behind proxies had too many requests in progress.
	ProgressRefused = "in_progress"
)

// Metrics is one registry with all metrics of the service.
type Metrics struct {
	registry      *prometheus.Registry
	requests      *prometheus.CounterVec
	verifications *prometheus.CounterVec
	rateLimits    *prometheus.CounterVec
	appService    *prometheus.CounterVec
	homeserver    prometheus.Histogram
	sfu           prometheus.Histogram

	verified, roomsCreated, roomsSaved, roomsFailed prometheus.Counter

	leaves     leaves
	membership membership
}

// New returns metrics on a registry of their own.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.requests = m.counters("requests_total", "Answered requests by route (empty: unknown) and HTTP status.", "route", "status")
	m.verifications = m.counters("verifications_total", "OpenID verifications by outcome: ok, or the cause of the failure.", "cause")
	m.rateLimits = m.counters("rate_limited_total", "Requests refused or slowed by a rate limit, by its kind.", "kind")
	m.appService = m.counters("appservice_requests_total", "Requests of the homeserver, by way (homeserver: of its users and its own; federation: of other homeservers), endpoint and cause (ok, or why not).", "via", "endpoint", "cause")
	m.homeserver = m.latency("homeserver_seconds", "Time until a homeserver answers whose OpenID token it is.")
	m.sfu = m.latency("sfu_seconds", "Time until the SFU answers a call, or fails to.")

	m.addLeaves()
	m.addMembership()
	rooms := m.counters("rooms_total", "Rooms ensured on the SFU: created (it was asked), saved (confirmed a moment ago) or failed.", "result")
	m.roomsCreated = rooms.WithLabelValues("created")
	m.roomsSaved = rooms.WithLabelValues("saved")
	m.roomsFailed = rooms.WithLabelValues("failed")
	m.verified = m.verifications.WithLabelValues("ok")
	for _, kind := range []string{UserRefused, AddressRefused, AddressSlowed, OriginRefused, ProgressRefused} {
		m.rateLimits.WithLabelValues(kind)
	}

	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say what runs.",
	}, []string{"version", "goversion"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const namespace = "matrixrtc_auth"

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) latency(name, help string) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help,
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
	})
	m.registry.MustRegister(h)
	return h
}

// Handler serves GET /metrics.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	return mux
}

// Request counts one answer. The route is a pattern, or "" for an unknown one.
func (m *Metrics) Request(route string, status int) {
	if m != nil {
		m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	}
}

// AppServiceRequest counts one request that the homeserver proxied or made
// itself. cause is "" for one that was served.
func (m *Metrics) AppServiceRequest(via, endpoint, cause string) {
	if m != nil {
		m.appService.WithLabelValues(via, endpoint, cmp.Or(cause, "ok")).Inc()
	}
}

// Verified counts a token that its homeserver vouched for.
func (m *Metrics) Verified() {
	if m != nil {
		m.verified.Inc()
	}
}

// VerificationFailed counts a failure by its cause.
func (m *Metrics) VerificationFailed(cause string) {
	if m != nil {
		m.verifications.WithLabelValues(cause).Inc()
	}
}

// HomeserverAnswered observes how long one answer took.
func (m *Metrics) HomeserverAnswered(took time.Duration) {
	if m != nil {
		m.homeserver.Observe(took.Seconds())
	}
}

// RoomEnsured counts a room that exists: asked says that the SFU was asked.
func (m *Metrics) RoomEnsured(asked bool) {
	switch {
	case m == nil:
	case asked:
		m.roomsCreated.Inc()
	default:
		m.roomsSaved.Inc()
	}
}

// RoomFailed counts a request whose room the SFU did not create.
func (m *Metrics) RoomFailed() {
	if m != nil {
		m.roomsFailed.Inc()
	}
}

// SFUAnswered observes how long one call took, whatever came of it.
func (m *Metrics) SFUAnswered(took time.Duration) {
	if m != nil {
		m.sfu.Observe(took.Seconds())
	}
}

// WatchLog has every scrape ask how many lines of the log were lost. It must not
// be called twice.
func (m *Metrics) WatchLog(dropped func() uint64) {
	if m == nil {
		return
	}
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: "log_lines_dropped_total", Help: "Lines of the log that were lost because it could not be written.",
	}, func() float64 { return float64(dropped()) }))
}

// RateLimited counts what the limit of this kind did to one request.
func (m *Metrics) RateLimited(kind string) {
	if m != nil {
		m.rateLimits.WithLabelValues(kind).Inc()
	}
}
