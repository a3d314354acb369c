package metrics

import "github.com/prometheus/client_golang/prometheus"

// Snapshot is the state of the service at one moment. Each map has the values
// of one gauge; its keys are label values. If a map is nil or a key is missing,
// the value is unknown.
type Snapshot struct {
	Health     map[string]float64
	Jobs       map[string]float64 // the number of jobs; the keys are states
	Store      map[string]float64
	Budget     map[string]float64
	Membership map[string]float64
	// LogDropped is how many log lines were dropped since the start.
	LogDropped uint64
}

// gauge is a metric whose values are in a snapshot.
type gauge struct {
	desc   *prometheus.Desc
	values func(Snapshot) map[string]float64
}

func newGauge(name, help, label string, values func(Snapshot) map[string]float64) gauge {
	return gauge{prometheus.NewDesc(namespace+"_"+name, help, []string{label}, nil), values}
}

// gauges are all gauges. All their values come from one snapshot.
var gauges = []gauge{
	newGauge("health", "What fails around the service (1 while it does): degraded (anything), stalled (no leave makes progress), sfu (the SFU does not answer), webhooks (people come and go, and none has come), account (the homeserver does not say who is joined).", "of",
		func(s Snapshot) map[string]float64 { return s.Health }),
	newGauge("leave_jobs", "Delegated leaves by state, in the whole store.", "state",
		func(s Snapshot) map[string]float64 { return s.Jobs }),
	newGauge("leave_store", "The store of delegated leaves: degraded (1 while it does not answer), outages, copies and unmerged jobs.", "of",
		func(s Snapshot) map[string]float64 { return s.Store }),
	newGauge("leave_budget", "The budget of requests to manage delayed events: rate and tokens of the homeserver that has the least, and how many homeservers have a lowered rate.", "of",
		func(s Snapshot) map[string]float64 { return s.Budget }),
	newGauge("membership", "Enforced membership: persons under it, foreign and unsealed sessions that are let be, brake (1 while it holds), pushed (1 if the homeserver pushes events here), and in seconds how long ago the last sweep began, how much longer ago than the interval it ended, and the interval.", "of",
		func(s Snapshot) map[string]float64 { return s.Membership }),
}

var logDropped = prometheus.NewDesc(namespace+"_log_lines_dropped_total", "Lines of the log that were lost because it could not be written.", nil, nil)

// Watch registers the function take, which returns a snapshot. Every scrape of the
// metrics calls take. Watch must not be called twice.
func (m Metrics) Watch(take func() Snapshot) {
	m.registry.MustRegister(watched(take))
}

// watched is a [prometheus.Collector] that takes a snapshot and returns its
// values.
type watched func() Snapshot

func (w watched) Describe(c chan<- *prometheus.Desc) {
	for _, g := range gauges {
		c <- g.desc
	}
	c <- logDropped
}

func (w watched) Collect(c chan<- prometheus.Metric) {
	now := w()
	for _, g := range gauges {
		for label, value := range g.values(now) {
			c <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, label)
		}
	}
	c <- prometheus.MustNewConstMetric(logDropped, prometheus.CounterValue, float64(now.LogDropped))
}
