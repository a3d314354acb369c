// Package outbound makes HTTP requests to hosts that strangers name.
//
// It differs from net/http's Transport where such hosts require it:
//
//   - The [Dialer] checks each address that DNS gives, right before a socket
//     connects to it.
//   - The transport bounds the bytes of a response, including headers and framing.
//     It also bounds the bytes that TLS handshakes read and keep in memory, and the
//     connections to one host ([Pool]).
//   - A [Route] has its own address and its own name for the certificate, apart
//     from the URL. Matrix server discovery needs such routes.
//   - If a pooled connection has died without notice, a request loses only a
//     short wait.
//   - A connection has no goroutines. The caller's goroutine writes, reads and
//     parses.
//
// The transport uses net/http's Request.Write and ReadResponse, except for the
// plainest responses (docs/performance.md). It knows no HTTP/2, no proxy and no
// cookie.
package outbound
