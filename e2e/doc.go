// Package e2e tests the service, the real binary, against a real LiveKit SFU
// with real WebRTC clients. Its tests need Go alone, and loopback.
package e2e
