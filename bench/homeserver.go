package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"matrixrtc-auth/matrix/matrixtest"
)

// homeserver is a fake homeserver. It answers only GET …/openid/userinfo and
// requests that ask whether a user is joined (MSC4502). It speaks HTTP/1.1 over
// TLS. It answers that everybody is joined to every room.
//
// The fake homeserver shares the processors with the measured program. So it
// does not use net/http, which would cost more CPU time. One goroutine per
// connection searches the request for the token, and writes a prepared answer
// with Synapse's headers.
//
// The token "ok-<12 digits>" is valid. Its last four digits are the number of
// its user. Every other token is unknown.
type homeserver struct {
	name string

	accepted, requests atomic.Int64
	// silent is the number of a connection. The fake homeserver no longer answers
	// on this connection and on older ones, which have lower numbers.
	silent atomic.Int64
}

const (
	userinfoPath = "GET /_matrix/federation/v1/openid/userinfo?"
	isJoinedPath = "GET /_matrix/client/unstable/io.element.msc4502/rooms/"
	tokenDigits  = 12
	userDigits   = 4

	okHead = "HTTP/1.1 200 OK\r\nServer: Synapse/1.163.2\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\n" +
		"Content-Type: application/json\r\nCache-Control: no-cache, no-store, must-revalidate\r\nContent-Length: %d\r\n\r\n"
	unknownToken = `{"errcode":"M_UNKNOWN_TOKEN","error":"Access Token unknown or expired"}`
)

func serveHomeserver() error {
	ca := matrixtest.NewCA()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h := &homeserver{name: listener.Addr().String()}
	config := &tls.Config{Certificates: []tls.Certificate{ca.Certificate("127.0.0.1")}, NextProtos: []string{"http/1.1"}}
	go h.accept(tls.NewListener(listener, config))
	return obey(hello{Addr: h.name, CA: string(ca.PEM())}, map[string]func() any{
		"counts":   h.counts,
		"go-quiet": h.goQuiet,
	})
}

func (h *homeserver) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go h.serve(conn, h.accepted.Add(1))
	}
}

func (h *homeserver) counts() any {
	return counts{Accepted: h.accepted.Load(), Requests: h.requests.Load()}
}

// goQuiet makes the fake homeserver stop answering on every existing
// connection. These connections stay open and accept data. The fake homeserver
// still answers on new connections.
func (h *homeserver) goQuiet() any {
	h.silent.Store(h.accepted.Load())
	return h.counts()
}

func (h *homeserver) serve(conn net.Conn, number int64) {
	defer conn.Close()
	answers := newAnswers(h.name)
	buf := make([]byte, 8<<10)
	for n := 0; ; {
		if n == len(buf) {
			return
		}
		m, err := conn.Read(buf[n:])
		if err != nil {
			return
		}
		n += m
		if !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
			continue
		}
		h.requests.Add(1)
		if number <= h.silent.Load() {
			io.Copy(io.Discard, conn)
			return
		}
		if _, err := conn.Write(answers.to(buf[:n])); err != nil {
			return
		}
		n = 0
	}
}

// answers are the prepared answers that one connection uses.
type answers struct {
	ok         []byte
	user       []byte // the part of the field ok that holds the digits of the user's number
	unknown    []byte
	badRequest []byte
	joined     []byte
}

func newAnswers(name string) *answers {
	const digits = "0000"
	a := &answers{
		ok:         response("200 OK", fmt.Sprintf(`{"sub":"@u%s:%s"}`, digits, name)),
		unknown:    response("401 Unauthorized", unknownToken),
		joined:     response("200 OK", `{"joined":true}`),
		badRequest: response("404 Not Found", `{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}`),
	}
	at := bytes.LastIndex(a.ok, []byte("@u"+digits)) + len("@u")
	a.user = a.ok[at : at+userDigits]
	return a
}

func response(status, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 "+status+okHead[len("HTTP/1.1 200 OK"):]+"%s", len(body), body)
}

// This method returns the answer to a request. The next call overwrites the
// returned bytes.
func (a *answers) to(request []byte) []byte {
	switch {
	case bytes.HasPrefix(request, []byte(isJoinedPath)):
		return a.joined
	case !bytes.HasPrefix(request, []byte(userinfoPath)):
		return a.badRequest
	}
	_, token, _ := bytes.Cut(request, []byte("access_token="))
	digits, good := bytes.CutPrefix(token, []byte("ok-"))
	if !good || len(digits) < tokenDigits {
		return a.unknown
	}
	copy(a.user, digits[tokenDigits-userDigits:tokenDigits])
	return a.ok
}
