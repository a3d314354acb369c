//go:build linux

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"matrixrtc-auth/matrix/matrixtest"
)

// trick is a way in which the homeserver of a stranger misbehaves.
type trick struct {
	about string
	// certificates returns certificates that the server sends after its own
	// certificate. The field is nil if there are none.
	certificates func() [][]byte
	// If hello is not nil, the server calls it instead of making a TLS handshake.
	hello func(net.Conn)
	// If answer is not nil, the server calls it to answer each request. nth is the
	// number of the request on its connection, counted from 0. answer returns true
	// if the connection can be used again.
	answer func(c net.Conn, r *http.Request, nth int) bool
}

// tricks returns all tricks, by their labels. The name of a stranger's server
// contains the label of the trick that it plays.
func tricks() map[string]trick {
	bulky := sync.OnceValue(func() matrixtest.Bulky { return matrixtest.NewBulky(7_000, 250_000) })
	named := sync.OnceValue(func() matrixtest.Bulky { return matrixtest.NewBulky(450, 0) })
	dense := sync.OnceValue(func() matrixtest.Bulky { return matrixtest.NewBulky(450, 30_000) })
	return map[string]trick{
		unknown:    {about: "10,000 names that do not exist"},
		"fine":     {about: "homeservers with nothing wrong"},
		"junk":     {about: "640 certificates of 280 bytes", certificates: func() [][]byte { return matrixtest.Junk(640) }},
		"chain":    {about: "108 of them, which are read before they are too many", certificates: func() [][]byte { return matrixtest.Junk(108) }},
		"bulky":    {about: "a certificate of 250 kB with 7,000 names", certificates: func() [][]byte { return [][]byte{bulky().Next()} }},
		"dense":    {about: "a certificate of 30 kB with 450 names, which is accepted", certificates: func() [][]byte { return [][]byte{dense().Next()} }},
		"names":    {about: "a certificate of 450 names and little else, which is accepted", certificates: func() [][]byte { return [][]byte{named().Next()} }},
		"dripping": {about: "a TLS handshake of a byte every 50 ms", hello: dripHandshake},
		"silent":   {about: "no TLS handshake at all", hello: func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
		"reset":    {about: "connections that are reset", hello: reset},
		"dns":      {about: "names whose name server is silent"},
		"lines":    {about: "20,000 header lines, then a byte every 200 ms", answer: tinyLines},
		"headers":  {about: "headers without end", answer: endlessHeaders},
		"interim":  {about: "interim answers without end", answer: endlessInterim},
		"redirect": {about: "redirects to 15 kB of address, without end", answer: endlessRedirects},
		"unclear":  {about: "15 kB of address that is none, and errors of 60 kB", answer: longNonsense},
		"body":     {about: "bodies without end", answer: endlessBody},
		"slow":     {about: "bodies of a byte every 200 ms", answer: slowBody},
		"halfdead": {about: "connections that answer once and then never", answer: halfDead},
	}
}

// drip writes text again and again until a write fails. It writes one byte at a
// time, with a pause after each byte.
func drip(c net.Conn, text string, pause time.Duration) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := 0; ; i++ {
		if _, err := io.WriteString(c, text[i%len(text):][:1]); err != nil {
			return
		}
		<-tick.C
	}
}

// pour writes text again and again, without pauses, until a write fails.
func pour(c net.Conn, text string) {
	for {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
	}
}

// dripHandshake begins a TLS handshake record of 16 kB, and writes it slowly.
func dripHandshake(c net.Conn) {
	_, _ = c.Write([]byte{22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc})
	drip(c, "x", 50*time.Millisecond)
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}

func endlessHeaders(c net.Conn, _ *http.Request, _ int) bool {
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
	pour(c, strings.Repeat("X-Header: "+strings.Repeat("x", 86)+"\r\n", 40))
	return false
}

// tinyLines answers with 20,000 short header lines. After them it writes more
// header lines slowly, without end.
func tinyLines(c net.Conn, _ *http.Request, _ int) bool {
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("a:\r\n", 20_000))
	drip(c, "a:\r\n", 200*time.Millisecond)
	return false
}

func endlessInterim(c net.Conn, _ *http.Request, _ int) bool {
	pour(c, strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 50))
	return false
}

func endlessRedirects(c net.Conn, r *http.Request, _ int) bool {
	_, err := fmt.Fprintf(c, "HTTP/1.1 302 Found\r\nLocation: https://%s/.well-known/matrix/server?%d=%s\r\nContent-Length: 0\r\n\r\n",
		serverOf(r), rand.Int(), strings.Repeat("x", 15_000))
	return err == nil
}

// longNonsense answers requests for /openid/userinfo with a very long error
// text. It answers all other requests with a redirect to a long, invalid
// address.
func longNonsense(c net.Conn, r *http.Request, _ int) bool {
	if r.URL.Path != matrixtest.UserInfoPath {
		_, err := fmt.Fprintf(c, "HTTP/1.1 302 Found\r\nLocation: https://%%zz/%s%d\r\nContent-Length: 0\r\n\r\n", strings.Repeat("x", 15_000), rand.Int())
		return err == nil
	}
	body := fmt.Sprintf(`{"errcode":"M_%s","error":"%s%d"}`, strings.Repeat("X", 30_000), strings.Repeat("x", 30_000), rand.Int())
	_, err := fmt.Fprintf(c, "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return err == nil
}

func endlessBody(c net.Conn, _ *http.Request, _ int) bool {
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
	pour(c, "4000\r\n"+strings.Repeat("x", 0x4000)+"\r\n")
	return false
}

func slowBody(c net.Conn, _ *http.Request, _ int) bool {
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n")
	drip(c, " ", 200*time.Millisecond)
	return false
}

// halfDead answers the first request of a connection. It reads later requests,
// but never answers them.
func halfDead(c net.Conn, r *http.Request, nth int) bool {
	return nth > 0 || honest(c, r, nth)
}
