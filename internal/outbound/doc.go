// Package outbound makes HTTP requests to hosts that strangers name.
//
// It differs from net/http's Transport in what such hosts make necessary.
// Every address is judged after DNS, on the socket ([Dialer]). A response is
// bounded in bytes as a whole, headers and framing included. So is what TLS
// handshakes read and leave in memory, and how many connections one host has
// ([Pool]). The connection and the name in the certificate are given apart from
// the URL ([Route]), as Matrix' server discovery asks. A pooled connection that
// has died silently costs one short wait, not the caller's whole time. And no
// connection has goroutines of its own: the caller's goroutine writes, reads and
// parses, with net/http's own Request.Write and ReadResponse but for the
// plainest responses (docs/performance.md). HTTP/1.1 only, no proxies, no
// cookies.
package outbound
