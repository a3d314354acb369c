// Package e2e tests the real program of the service with a real LiveKit SFU and real
// WebRTC clients. The tests need only Go and the loopback interface.
package e2e
