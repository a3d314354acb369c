// Package outbound makes HTTP requests to hosts that strangers name.
//
// It differs from net/http's Transport where such hosts require it:
//
//   - The [Dialer] checks every address after DNS, on the socket.
//   - The bytes of a response are bounded, including headers and framing. So are
//     the bytes that TLS handshakes read and keep in memory, and the connections
//     to one host ([Pool]).
//   - A [Route] has its own address and its own name for the certificate, apart
//     from the URL. Matrix server discovery needs that.
//   - If a pooled connection has died without notice, a request loses only a
//     short wait.
//   - A connection has no goroutines: the caller's goroutine writes, reads and
//     parses.
//
// It uses net/http's Request.Write and ReadResponse, except for the plainest
// responses (docs/performance.md). There is no HTTP/2, no proxy and no cookie.
package outbound
