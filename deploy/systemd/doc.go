// Package systemd holds the systemd units of the service. Its tests check them
// with systemd's own tools.
package systemd
