// Package matrixtest provides homeservers for tests. A [Server] is a real HTTP
// server with TLS on loopback that issues OpenID tokens and answers for them. A
// [Network] is a network in memory with names, SRV records and any port, which
// works in testing/synctest bubbles. Faults of a homeserver can be scripted.
package matrixtest
