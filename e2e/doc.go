// Package e2e tests the real program of the service with a real LiveKit SFU and
// real WebRTC clients. Its tests need only Go and loopback.
package e2e
