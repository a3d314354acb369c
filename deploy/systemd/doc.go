// Package systemd has the units of the service, and holds them against systemd's
// own tools.
package systemd
