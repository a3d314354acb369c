// Package grafana holds the Grafana dashboard, and checks it against Grafana's
// own types. Package prometheus checks the dashboard's queries against a real
// Prometheus.
package grafana
