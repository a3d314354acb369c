package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/internal/outbound"
)

const maxBody = 1000

// getter returns a function that calls Transport.Get for the TLS server s.
func getter(t *testing.T, s *httptest.Server) func(target string) (int, string, error) {
	t.Helper()
	tr := &outbound.Transport{AnswerTime: time.Minute}
	client(t, s, tr)
	addr := s.Listener.Addr().String()
	return func(target string) (int, string, error) {
		route := outbound.Route{Scheme: "https", Addr: addr, TLSName: "127.0.0.1"}
		answer, reached, err := tr.Get(t.Context(), route, "a.test:99", target, maxBody)
		if reached != addr {
			t.Errorf("reached %q, want %q", reached, addr)
		}
		return answer.Status, string(answer.Body), err
	}
}

func TestGet(t *testing.T) {
	s, conns := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/plain":
			fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.URL.RawQuery, r.UserAgent())
		case "/chunked":
			fmt.Fprint(w, "chun")
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "ked")
		case "/interim":
			w.WriteHeader(http.StatusEarlyHints)
			fmt.Fprint(w, "final")
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/longhead":
			w.Header().Set("X-Pad", strings.Repeat("x", 4000))
			fmt.Fprint(w, "padded")
		case "/largest":
			fmt.Fprint(w, strings.Repeat("x", maxBody))
		default:
			http.NotFound(w, r)
		}
	})
	get := getter(t, s)
	for range 2 {
		for target, want := range map[string]string{
			"/plain?a=b%20c": "GET a.test:99 a=b%20c matrixrtc-auth",
			"/chunked":       "chunked",
			"/interim":       "final",
			"/empty":         "",
			"/longhead":      "padded",
			"/largest":       strings.Repeat("x", maxBody),
			"/missing":       "404 page not found\n",
		} {
			status, body, err := get(target)
			if wantStatus := map[string]int{"/missing": 404, "/empty": 204}[target]; err != nil || body != want || wantStatus > 0 && status != wantStatus {
				t.Errorf("%s: got %d %q, %v, want %q", target, status, body, err, want)
			}
		}
	}
	if got := conns.Load(); got != 1 {
		t.Errorf("got %d connections for 14 requests, want 1", got)
	}
}

// TestGetRetryAfter checks that Answer has the header Retry-After, whether the
// response is plain or not.
func TestGetRetryAfter(t *testing.T) {
	for name, response := range map[string]string{
		"plain":   "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\nretry-after: 30\r\n\r\n{}",
		"chunked": "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := getRaw(t, []byte(response))
			if err != nil || got.Status != 429 || got.RetryAfter != "30" || string(got.Body) != "{}" {
				t.Errorf("%s: %+v, %v, want 429, {} and Retry-After 30", name, got, err)
			}
		})
	}
}

func TestGetBounds(t *testing.T) {
	s, conns := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, strings.Repeat("x", maxBody+1))
	})
	get := getter(t, s)
	for i, target := range []string{"/length", "/chunked"} {
		if _, _, err := get(target); !errors.Is(err, outbound.ErrTooLarge) {
			t.Errorf("%s: got %v, want %v", target, err, outbound.ErrTooLarge)
		}
		if got := conns.Load(); got != int32(i+1) {
			t.Errorf("%s: got %d connections, want %d: one that was not read to its end is not used again", target, got, i+1)
		}
	}
}

// FuzzGet compares Get with net/http for the same bytes. If Get accepts the
// bytes, net/http must read the same response from them.
func FuzzGet(f *testing.F) {
	for _, response := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK",
		"HTTP/1.1 401 Unauthorized\r\nServer: x\r\ncontent-length:2 \r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
		"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: y\r\n Content-Length: 5\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
		"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
		"HTTP/1.0 200 OK\r\n\r\n{}",
		"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\nretry-after: 30\r\n\r\n{}",
		"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
	} {
		f.Add([]byte(response))
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		got, err := getRaw(t, response)
		if err != nil {
			return
		}
		want, err := roundTripRaw(t, response)
		if err != nil || got.Status != want.Status || string(got.Body) != string(want.Body) || got.RetryAfter != want.RetryAfter {
			t.Errorf("Get: got %+v, %v, want net/http's %+v", got, err, want)
		}
	})
}

// answering returns a transport to a server that answers every request with the
// bytes of response.
func answering(t *testing.T, response []byte) *outbound.Transport {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := c.Read(make([]byte, 1<<10)); err == nil {
			c.Write(response)
		}
	}()
	tr := &outbound.Transport{Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(outbound.Dialer).DialContext(ctx, network, l.Addr().String())
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func getRaw(t *testing.T, response []byte) (outbound.Answer, error) {
	route := outbound.Route{Scheme: "http", Addr: "a.test:80"}
	answer, _, err := answering(t, response).Get(t.Context(), route, "a.test", "/", maxBody)
	return answer, err
}

func roundTripRaw(t *testing.T, response []byte) (outbound.Answer, error) {
	resp, err := answering(t, response).RoundTrip(newRequest(t))
	if err != nil {
		return outbound.Answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return outbound.Answer{Status: resp.StatusCode, Body: body, RetryAfter: resp.Header.Get("Retry-After")}, err
}

func newRequest(t *testing.T) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
