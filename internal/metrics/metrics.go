// Package metrics counts what the service does, for Prometheus.
//
// Every value of a label comes from a fixed set. For example, a route is a pattern,
// never the path that a stranger sent. The zero [Metrics] counts nothing; a service
// without a listener for metrics uses it.
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

// The kinds of rate limits that refused or slowed a request, for
// [Metrics.RateLimited].
const (
	UserRefused    = "user"     // a verified user asked too often
	AddressRefused = "address"  // too many requests from one address failed; they were about homeservers that the operator did not name
	AddressSlowed  = "slowdown" // too many requests from one address failed; they were about homeservers that the operator named, so the next request only has to wait
	OriginRefused  = "origin"   // another homeserver asked too often
	// ProgressRefused means that a client network had too many requests in
	// progress. This limit applies only to clients behind a proxy.
	ProgressRefused = "in_progress"
	// TestRefused is for a client network that asked too often for tokens of the
	// connection test. TestUsedUp is for a link to the connection test that was
	// used too often.
	TestRefused = "test"
	TestUsedUp  = "test_link"
)

// Metrics is a registry with all metrics of the service. The zero value counts
// nothing, and nobody may call its methods Handler and Watch.
type Metrics struct {
	registry      *prometheus.Registry
	requests      counters
	verifications counters
	rooms         counters
	rateLimits    counters
	appService    counters
	sfuFailures   counters
	homeserver    timing
	sfu           timing

	leaves     leaves
	membership membership
}

// New returns Metrics with a new registry.
func New(version string) Metrics {
	m := Metrics{registry: prometheus.NewRegistry()}
	m.requests = m.counters("requests_total", "Answered requests by route (empty: unknown) and HTTP status.", "route", "status")
	m.verifications = m.counters("verifications_total", "OpenID verifications by outcome: ok, or the cause of the failure.", "cause")
	m.rateLimits = m.counters("rate_limited_total", "Requests refused or slowed by a rate limit, by its kind.", "kind")
	m.appService = m.counters("appservice_requests_total", "Requests of the homeserver, by way (homeserver: of its users and its own; federation: of other homeservers), endpoint and cause (ok, or why not).", "via", "endpoint", "cause")
	m.homeserver = m.latency("homeserver_seconds", "Time until a homeserver answers whose OpenID token it is.")
	m.sfu = m.latency("sfu_seconds", "Time until the SFU answers a call, or fails to.")
	m.sfuFailures = m.counters("sfu_failures_total", "Calls of the SFU that failed, by cause.", "cause")

	m.addLeaves()
	m.addMembership()
	m.rooms = m.counters("rooms_total", "Rooms ensured on the SFU: created (it was asked), saved (confirmed a moment ago) or failed.", "result")
	m.rooms.begin(roomCreated, roomSaved, roomFailed)
	m.verifications.begin(verified)
	m.rateLimits.begin(UserRefused, AddressRefused, AddressSlowed, OriginRefused, ProgressRefused)

	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say what runs.",
	}, []string{"version", "goversion"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const namespace = "matrixrtc_auth"

// The label values that are defined in no other package.
const (
	verified    = "ok"
	roomCreated = "created"
	roomSaved   = "saved"
	roomFailed  = "failed"
)

func (m Metrics) counters(name, help string, labels ...string) counters {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return counters{c}
}

func (m Metrics) timing(name, help string, buckets []float64, labels ...string) timing {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(h)
	return timing{h}
}

func (m Metrics) latency(name, help string) timing {
	t := m.timing(name, help, []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20})
	t.begin()
	return t
}

// counters is a counter with labels. The zero value counts nothing.
type counters struct{ vec *prometheus.CounterVec }

func (c counters) inc(labels ...string) { c.add(1, labels...) }

func (c counters) add(n int, labels ...string) {
	if c.vec != nil {
		c.vec.WithLabelValues(labels...).Add(float64(n))
	}
}

// begin creates a counter for each of the given label values, with the value 0.
func (c counters) begin(values ...string) {
	for _, value := range values {
		c.vec.WithLabelValues(value)
	}
}

// timing observes durations, with labels. The zero value observes nothing.
type timing struct{ vec *prometheus.HistogramVec }

func (t timing) observe(took time.Duration, labels ...string) {
	if t.vec != nil {
		t.vec.WithLabelValues(labels...).Observe(took.Seconds())
	}
}

// begin creates the histogram of a metric without labels, so that the metric
// exists before anything is observed.
func (t timing) begin() { t.vec.WithLabelValues() }

// Handler serves GET /metrics.
func (m Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	return mux
}

// Request counts one answer. route is a pattern, or "" for an unknown route.
func (m Metrics) Request(route string, status int) {
	if m.requests.vec != nil { // without this check, formatting the status would allocate for nothing
		m.requests.inc(route, strconv.Itoa(status))
	}
}

// AppServiceRequest counts one request that the homeserver forwarded for a
// user, or made itself. cause is "" if the request was served.
func (m Metrics) AppServiceRequest(via, endpoint, cause string) {
	m.appService.inc(via, endpoint, cmp.Or(cause, "ok"))
}

// Verified counts an OpenID token that its homeserver has confirmed.
func (m Metrics) Verified() {
	m.verifications.inc(verified)
}

// VerificationFailed counts a failed verification by its cause.
func (m Metrics) VerificationFailed(cause string) {
	m.verifications.inc(cause)
}

// HomeserverAnswered observes how long a homeserver took to answer.
func (m Metrics) HomeserverAnswered(took time.Duration) {
	m.homeserver.observe(took)
}

// RoomEnsured counts a request whose room exists on the SFU. The parameter asked
// says whether the service called the SFU for this request.
func (m Metrics) RoomEnsured(asked bool) {
	if asked {
		m.rooms.inc(roomCreated)
	} else {
		m.rooms.inc(roomSaved)
	}
}

// RoomFailed counts a request whose room the SFU did not confirm.
func (m Metrics) RoomFailed() {
	m.rooms.inc(roomFailed)
}

// SFUAnswered observes how long one call of the SFU took. If the call failed,
// it counts the cause; "" means that the call succeeded.
func (m Metrics) SFUAnswered(took time.Duration, cause string) {
	m.sfu.observe(took)
	if cause != "" {
		m.sfuFailures.inc(cause)
	}
}

// RateLimited counts a request that a limit refused or slowed down. kind is one of
// the constants from UserRefused to TestUsedUp.
func (m Metrics) RateLimited(kind string) {
	m.rateLimits.inc(kind)
}
