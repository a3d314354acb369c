// Package matrixtest provides homeservers for tests: real HTTP servers with
// TLS that issue OpenID tokens and answer for them ([Server], on loopback),
// and a network in memory with names, SRV records and any port ([Network]),
// which works within testing/synctest bubbles. What a homeserver does wrong
// can be scripted.
package matrixtest
