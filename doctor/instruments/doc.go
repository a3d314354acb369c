// Package instruments holds all parts of doctor that send packets. It looks
// names up, connects, begins TLS, sends HTTP requests as a browser does, uses
// STUN and TURN, and joins LiveKit. It returns the answers, and package doctor
// judges them.
package instruments
