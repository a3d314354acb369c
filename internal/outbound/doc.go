// Package outbound makes HTTP requests to hosts that strangers name.
//
// It differs from net/http's Transport where such hosts require it. The
// [Dialer] checks every address after DNS, on the socket. The bytes of a
// response are bounded, headers and framing included. So are the bytes that TLS
// handshakes read and keep in memory, and the connections to one host ([Pool]).
// A [Route] gives the address and the name in the certificate apart from the
// URL, as Matrix server discovery needs. If a pooled connection has died
// silently, a request loses only a short wait. No connection has goroutines of
// its own: the caller's goroutine writes, reads and parses. It uses net/http's
// Request.Write and ReadResponse, except for the plainest responses
// (docs/performance.md). There is no HTTP/2, no proxy and no cookie.
package outbound
