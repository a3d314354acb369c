// Package prometheus has the alerts for the service, and holds them and the
// dashboard against a real Prometheus that scrapes the service.
package prometheus
