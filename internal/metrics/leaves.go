package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// leaves are the metrics of delegated leaves.
type leaves struct {
	refused  *prometheus.CounterVec
	webhooks *prometheus.CounterVec
	actions  *prometheus.CounterVec
	lateness *prometheus.HistogramVec
	claims   prometheus.Counter
	limited  prometheus.Counter
}

func (m *Metrics) addLeaves() {
	m.leaves = leaves{
		refused:  m.counters("delegations_refused_total", "Delegated leaves refused because of a limit: user, all, homeserver or outage.", "limit"),
		webhooks: m.counters("webhooks_total", "Webhooks by result: ok, or why they are not the SFU's.", "result"),
		actions:  m.counters("leave_actions_total", "Requests to manage a delayed event by action and result.", "action", "result"),
		lateness: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "leave_lateness_seconds", Help: "How long after it was due an action began.",
			Buckets: []float64{.01, .05, .1, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
		}, []string{"action"}),
	}
	claims := m.counters("leave_claims_total", "Jobs taken in hand.")
	limited := m.counters("leave_limited_total", "Answers 429 to the management of delayed events.")
	m.leaves.claims, m.leaves.limited = claims.WithLabelValues(), limited.WithLabelValues()
	m.registry.MustRegister(m.leaves.lateness)
	m.leaves.webhooks.WithLabelValues("ok")
}

// Gauge is what is asked for at every scrape.
type Gauge struct {
	Name, Help string
	// Label names the label of Values' keys.
	Label string
	// Values returns the value for each value of the label; nil if nobody
	// knows now.
	Values func() map[string]float64
}

// Watch adds a gauge. It must not be called twice for a name.
func (m *Metrics) Watch(g Gauge) {
	if m == nil {
		return
	}
	m.registry.MustRegister(watched{g, prometheus.NewDesc(namespace+"_"+g.Name, g.Help, []string{g.Label}, nil)})
}

type watched struct {
	Gauge
	desc *prometheus.Desc
}

// Describe is a [prometheus.Collector]'s.
func (w watched) Describe(c chan<- *prometheus.Desc) { c <- w.desc }

// Collect is a [prometheus.Collector]'s.
func (w watched) Collect(c chan<- prometheus.Metric) {
	for label, value := range w.Values() {
		c <- prometheus.MustNewConstMetric(w.desc, prometheus.GaugeValue, value, label)
	}
}

// DelegationRefused counts a leave that was one too many.
func (m *Metrics) DelegationRefused(limit string) {
	if m != nil {
		m.leaves.refused.WithLabelValues(limit).Inc()
	}
}

// Webhook counts a webhook: "ok", or the cause of its rejection.
func (m *Metrics) Webhook(result string) {
	if m != nil {
		m.leaves.webhooks.WithLabelValues(result).Inc()
	}
}

// LeaveAction counts one request to manage a delayed event, which began this
// long after it was due.
func (m *Metrics) LeaveAction(action, result string, late time.Duration) {
	if m != nil {
		m.leaves.actions.WithLabelValues(action, result).Inc()
		m.leaves.lateness.WithLabelValues(action).Observe(late.Seconds())
	}
}

// Claimed counts jobs taken in hand.
func (m *Metrics) Claimed(jobs int) {
	if m != nil {
		m.leaves.claims.Add(float64(jobs))
	}
}

// Limited counts an answer 429.
func (m *Metrics) Limited() {
	if m != nil {
		m.leaves.limited.Inc()
	}
}
