// Package appservice tests the application-service mode on real homeservers:
// two of them, which federate on loopback. It holds tests only.
package appservice
