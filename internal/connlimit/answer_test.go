package connlimit

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answering sets o.Answer, which replaces the answers that net/http gives by
// itself.
func answering(o *Options, s *http.Server) {
	s.MaxHeaderBytes = 1
	o.Answer = func(status int, peer net.Addr) []byte {
		text := fmt.Sprintf("own %d for %s", status, peer)
		return fmt.Appendf(nil, "HTTP/1.1 %d x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(text), text)
	}
}

// TestOwnAnswers checks that the Listener replaces every answer that net/http
// itself gives.
func TestOwnAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		want int
	}{
		"headers too large":      {"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("x", 5000) + "\r\n\r\n", 431},
		"no request":             {"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400},
		"no host":                {"GET / HTTP/1.1\r\n\r\n", 400},
		"a header without colon": {"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", 400},
		"a version to come":      {"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
		"a transfer encoding":    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		"an expectation":         {"GET / HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n", 417},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 8, answering, func(t *testing.T, l *lab) {
				status, body := l.connect("192.0.2.1").ask(c.sent)
				time.Sleep(time.Second) // net/http waits for the client to read the answer
				if want := fmt.Sprintf("own %d for 192.0.2.1:5", c.want); status != c.want || body != want {
					t.Errorf("%d %q, want %q", status, body, want)
				}
			})
		})
	}
}

// TestHandlersAnswersStay checks that the Listener never replaces answers of the
// handler, whatever they say.
func TestHandlersAnswersStay(t *testing.T) {
	change := func(o *Options, s *http.Server) {
		o.Answer = func(int, net.Addr) []byte {
			t.Error("got an answer of the handler replaced, want it as it is")
			return nil
		}
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
			_, _ = io.WriteString(w, "HTTP/1.1 431 mine")
		})
	}
	inBubble(t, 8, change, func(t *testing.T, l *lab) {
		if status, body := l.connect("192.0.2.1").ask(request); status != 431 || body != "HTTP/1.1 431 mine" {
			t.Errorf("got %d %q, want 431 of the handler", status, body)
		}
	})
}
