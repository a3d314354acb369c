// Package instruments holds everything of doctor that sends a packet: it looks
// names up, connects, begins TLS, sends HTTP requests as a browser does, uses
// STUN and TURN, and joins LiveKit. It returns what came back. Package doctor
// judges that.
package instruments
