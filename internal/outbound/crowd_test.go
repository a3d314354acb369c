package outbound_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"matrixrtc-auth/internal/outbound"
)

// visitor starts one server. The function visit sends the server a request with the
// given host name, as if many homeservers shared an address. The function conns
// returns how many connections the server has accepted.
func visitor(t *testing.T, tr *outbound.Transport) (visit func(name string) error, conns func() int32) {
	t.Helper()
	s, count := server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	client(t, s, tr)
	tr.TLS = tr.TLS.Clone()
	tr.TLS.InsecureSkipVerify = true
	addr := s.Listener.Addr().String()
	visit = func(name string) error {
		route := outbound.Route{Scheme: "https", Addr: addr, TLSName: name}
		_, _, err := tr.Get(t.Context(), route, name, "/", 100)
		return err
	}
	return visit, count.Load
}

// TestIdleConnectionsMakeRoom checks many host names that lead to one address. Each
// request must succeed, even if PerHost idle connections to the address are open.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	visit, _ := visitor(t, &outbound.Transport{Pool: &outbound.Pool{PerHost: 4}})
	for i := range 20 {
		if err := visit(fmt.Sprintf("n%d.test", i)); err != nil {
			t.Fatalf("name %d: got %v, want no error", i, err)
		}
	}
}

// TestFullPoolKeepsTheNewest checks that a pool full of idle connections keeps
// the newest connection for reuse.
func TestFullPoolKeepsTheNewest(t *testing.T) {
	visit, conns := visitor(t, &outbound.Transport{Pool: &outbound.Pool{MaxIdle: 4}})
	for i := range 8 {
		if err := visit(fmt.Sprintf("n%d.test", i)); err != nil {
			t.Fatal(err)
		}
	}
	before := conns()
	for range 10 {
		if err := visit("honest.test"); err != nil {
			t.Fatal(err)
		}
	}
	if got := conns() - before; got != 1 {
		t.Errorf("got %d connections for 10 requests, want 1", got)
	}
}

// TestErrorsDoNotQuoteThePeer checks that no error quotes an answer, because an
// answer may hold the request and its token.
func TestErrorsDoNotQuoteThePeer(t *testing.T) {
	const secret = "S3CRET"
	for name, answer := range map[string]string{
		"status line": "GET /?t=S3CRET HTTP/1.1\r\n\r\n",
		"status code": "HTTP/1.1 S3CRET OK\r\n\r\n",
		"header line": "HTTP/1.1 200 OK\r\nS3CRET\r\n\r\n",
		"header name": "HTTP/1.1 200 OK\r\nS3 CRET: x\r\nS3CRET\r\n\r\n",
		"length":      "HTTP/1.1 200 OK\r\nContent-Length: S3CRET\r\n\r\n",
		"coding":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: S3CRET\r\n\r\n",
		"chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nS3CRET\r\n",
		"trailer":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nS3CRET\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := getRaw(t, []byte(answer))
			if err == nil {
				t.Fatal("accepted: got no error, want one")
			}
			resp, err2 := answering(t, []byte(answer)).RoundTrip(newRequest(t))
			if err2 == nil {
				_, err2 = io.ReadAll(resp.Body)
			}
			if all := fmt.Sprintf("%v %+v %v", err, err, err2); strings.Contains(all, secret) {
				t.Errorf("the error quotes the answer: got %s, want no %q in it", all, secret)
			}
		})
	}
}
