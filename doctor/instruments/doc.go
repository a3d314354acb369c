// Package instruments holds everything of doctor that sends a packet: it looks
// names up, connects, begins TLS, asks over HTTP as a browser does, by STUN and
// TURN, and joins LiveKit. It says what came back; what that means is doctor's
// to judge.
package instruments
