// Package matrixtest provides homeservers for tests. A [Server] is a real HTTP
// server with TLS on a loopback address. It issues OpenID tokens and says to which
// users they belong. A [Network] is a network in memory with names, SRV records
// and ports, which works in testing/synctest bubbles. Tests can make the
// homeservers fail.
package matrixtest
