package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/internal/lag"
	"matrixrtc-auth/matrix/matrixtest"
)

// maxStrangers bounds the resident memory of the program in bytes after it has
// asked 1,000 hostile servers.
const maxStrangers = 80_000_000

// TestStrangersCertificates checks that the program needs at most maxStrangers
// bytes of memory after 1,000 servers have sent certificates that take much memory.
// If the program accepts a server's certificates, the server gives the answer of a
// homeserver, and the program keeps the connection open.
func TestStrangersCertificates(t *testing.T) {
	const servers = 1_000
	binary := buildBinary(t)
	few := matrixtest.NewBulky(450, 0)
	for _, c := range []struct {
		name   string
		spoil  func(tls.Certificate) tls.Certificate
		status string
	}{
		{"640 of 280 bytes", with(func() [][]byte { return matrixtest.Junk(640) }), "401"},
		{"108 of 280 bytes", with(func() [][]byte { return matrixtest.Junk(108) }), "401"},
		{"one with 7,000 names", with(bulky(7_000)), "401"},
		{"one with 450 names and 30 kB", with(bulky(450)), "200"},
		{"one with 450 names", with(func() [][]byte { return [][]byte{few.Next()} }), "200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, ca := startForStrangers(t, binary)
			names := strangers(t, ca, servers, c.spoil, nil)
			before, late := s.memory(t), lag.Measure(t)
			answers := askForAll(t, s.address, names)
			after := s.memory(t)
			t.Logf("memory %d kB, after %d servers %d kB", before>>10, servers, after>>10)
			// The service gives up a request after 10 s. If this machine was too busy
			// for so long, some requests fail.
			if answers[c.status] != servers && late() < 10*time.Second {
				t.Errorf("got the answers %v, want %d × %s", answers, servers, c.status)
			}
			if after > maxStrangers {
				t.Errorf("the program's memory: got %d MB, want at most %d", after/1e6, maxStrangers/1_000_000)
			}
		})
	}
}

// startForStrangers starts the program so that it may send requests to unnamed
// homeservers on loopback. The program trusts the certificates of the returned
// CA.
func startForStrangers(t *testing.T, binary string, more ...string) (*process, *matrixtest.CA) {
	t.Helper()
	ca := matrixtest.NewCA()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	more = append(more, "LIVEKIT_CA_FILE="+file, "LIVEKIT_ALLOWED_NETWORKS=127.0.0.0/8")
	return startBinary(t, binary, "example.org=http://127.0.0.1:9", more...), ca
}

// strangers starts n homeservers and returns their names. Each homeserver has
// its own address in 127.1.0.0/16. Its certificate is from ca, and the function
// spoil has changed it. The handler answer answers all requests. If answer is
// nil, the homeservers confirm every token.
func strangers(t *testing.T, ca *matrixtest.CA, n int, spoil func(tls.Certificate) tls.Certificate, answer http.HandlerFunc) (names []string) {
	t.Helper()
	if answer == nil {
		answer = func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"sub":"@alice:%s"}`, r.Context().Value(http.LocalAddrContextKey))
		}
	}
	server := &http.Server{
		Handler:  answer,
		ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			host, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String())
			cert := spoil(ca.Certificate(host))
			return &cert, err
		}},
	}
	t.Cleanup(func() { server.Close() })
	for i := range n {
		l, err := net.Listen("tcp", fmt.Sprintf("127.1.%d.%d:0", i>>8, i&0xff))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, l.Addr().String())
		go server.ServeTLS(l, "", "")
	}
	return names
}

// askForAll requests a token for a user of each server. It sends 16 requests at
// the same time, each from a different client address. It returns how many
// answers had each status.
func askForAll(t *testing.T, address string, names []string) map[string]int {
	t.Helper()
	var (
		wg      sync.WaitGroup
		next    atomic.Int64
		mu      sync.Mutex
		answers = map[string]int{}
	)
	for range 16 {
		wg.Go(func() {
			conn, err := dial(address)
			if err != nil {
				t.Errorf("dial: got %v, want no error", err)
				return
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			for i := int(next.Add(1)) - 1; i < len(names); i = int(next.Add(1)) - 1 {
				status, err := askFor(conn, r, names[i], i)
				if err != nil {
					t.Errorf("%s: got %v, want no error", names[i], err)
					return
				}
				mu.Lock()
				answers[status]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return answers
}

// askFor requests a token for a user of the server called name. It returns the
// status of the answer. The parameter from is the number of the client's
// network.
func askFor(conn net.Conn, r *bufio.Reader, name string, from int) (status string, err error) {
	if err := conn.SetDeadline(time.Now().Add(waitTime)); err != nil {
		return "", err
	}
	body := fmt.Sprintf(`{"room":"!room:%s","openid_token":{"access_token":"token%d","matrix_server_name":"%s"},"device_id":"D"}`, name, from, name)
	if _, err := fmt.Fprintf(conn, "POST /sfu/get HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 2001:db8:%x:%x::1\r\nContent-Length: %d\r\n\r\n%s",
		from>>16, from&0xffff, len(body), body); err != nil {
		return "", err
	}
	return readAnswer(r)
}

// with returns a function that adds certificates to a server's chain. These
// certificates come from the function more.
func with(more func() [][]byte) func(tls.Certificate) tls.Certificate {
	return func(cert tls.Certificate) tls.Certificate {
		cert.Certificate = append(slices.Clone(cert.Certificate), more()...)
		return cert
	}
}

// bulky returns a function that makes certificates of 30 kB each. Each
// certificate contains as many names as uris says.
func bulky(uris int) func() [][]byte {
	more := matrixtest.NewBulky(uris, 30_000)
	return func() [][]byte { return [][]byte{more.Next()} }
}
