// Package grafana has the dashboard, and holds it against Grafana's own types.
// Its queries are held against a real Prometheus by the package prometheus.
package grafana
