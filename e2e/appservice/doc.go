// Package appservice tests the application-service mode on two real
// homeservers, which federate on loopback. It contains only tests.
package appservice
