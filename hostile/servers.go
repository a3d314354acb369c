//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"matrixrtc-auth/matrix/matrixtest"
)

// connectionTime bounds each connection to a stranger's server. It is longer
// than any attack.
const connectionTime = 40 * time.Second

// servers are the homeservers of strangers, whom the operator does not know.
// They answer for all names that the fake name server knows.
type servers struct {
	leaf   tls.Certificate
	tricks map[string]trick
}

// caFile returns the path of the CA's certificate. This CA signs the
// certificates of all strangers' servers.
func caFile(dir string) string { return filepath.Join(dir, "ca.pem") }

// serveStrangers starts the strangers' servers. They end with this process.
func serveStrangers(dir string) (*servers, error) {
	ca := matrixtest.NewCA()
	s := &servers{leaf: ca.Certificate("*." + domain), tricks: tricks()}
	err := os.WriteFile(caFile(dir), ca.PEM(), 0o644)
	names, namesErr := net.ListenPacket("udp", "127.0.0.1:53")
	if err = errors.Join(err, namesErr); err != nil {
		return nil, err
	}
	go serveNames(names)
	for _, port := range []string{":443", ":8448"} {
		l, err := net.Listen("tcp", port)
		if err != nil {
			return nil, err
		}
		go s.accept(l)
	}
	return s, nil
}

func (s *servers) accept(l net.Listener) {
	for {
		if conn, err := l.Accept(); err == nil {
			go s.serve(conn)
		}
	}
}

// serve answers the requests on one connection. The server name in the client's
// TLS handshake decides how serve misbehaves.
func (s *servers) serve(raw net.Conn) {
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(connectionTime))
	var name string
	secured := tls.Server(raw, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name = hello.ServerName
		t := s.trick(name)
		if t.hello != nil {
			t.hello(raw)
			return nil, io.EOF
		}
		cert := s.leaf
		if t.certificates != nil {
			cert.Certificate = append([][]byte{cert.Certificate[0]}, t.certificates()...)
		}
		return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}, nil
	}})
	if secured.Handshake() != nil {
		return
	}
	answer := s.trick(name).answer
	if answer == nil {
		answer = honest
	}
	requests := bufio.NewReader(secured)
	for nth := 0; ; nth++ {
		r, err := http.ReadRequest(requests)
		if err != nil || !answer(secured, r, nth) {
			return
		}
	}
}

func (s *servers) trick(name string) trick {
	t, _, _ := trickOf(name)
	return s.tricks[t]
}

// This function answers as an honest homeserver, which confirms every token. It
// returns true if the client can use the connection again.
func honest(c net.Conn, r *http.Request, _ int) bool {
	status, body := "200 OK", fmt.Sprintf(`{"sub":"@alice:%s"}`, serverOf(r))
	if r.URL.Path != matrixtest.UserInfoPath {
		status, body = "404 Not Found", `{"errcode":"M_NOT_FOUND","error":"not found"}`
	}
	_, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
	return err == nil
}

// serverOf returns the server name in a request.
func serverOf(r *http.Request) string {
	host, _, _ := strings.Cut(r.Host, ":")
	return host
}
