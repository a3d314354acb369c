// Package prometheus holds the alerts for the service. Its tests start a real
// Prometheus that scrapes the service, and check the alerts and the dashboard's
// queries against it.
package prometheus
