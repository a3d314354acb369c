package connlimit

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// largeHead returns a large head without the empty line at its end. It has more
// lines than the heads that clients usually send.
func largeHead(name string) string {
	return "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 2*smallLines) + "X-Name: " + name + "\r\n"
}

// TestLargeHeads checks that large heads wait for their turn to be read, and that
// small heads do not wait for large heads.
func TestLargeHeads(t *testing.T) {
	keep := func(o *Options, _ *http.Server) { o.Keep = []string{"x-name"} }
	inBubble(t, 8*largeHeads, keep, func(t *testing.T, l *lab) {
		holders := make([]*peer, largeHeads)
		for i := range holders {
			holders[i] = l.connect(fmt.Sprintf("192.0.2.%d", i))
			holders[i].say(largeHead("holder"))
		}
		synctest.Wait()
		start := time.Now()
		late := l.connect("198.51.100.1")
		late.say(largeHead("late"))
		synctest.Wait()
		if status, body := l.connect("198.51.100.2").ask(request); status != http.StatusOK || time.Since(start) > 0 {
			t.Errorf("a small head: %d %q after %v, want 200 at once", status, body, time.Since(start))
		}
		if status, body := holders[0].ask("\r\n"); status != http.StatusOK || body != "hello holder" {
			t.Errorf("a large head: %d %q, want 200 with the header that is kept", status, body)
		}
		if status, body := late.ask("\r\n"); status != http.StatusOK || body != "hello late" {
			t.Errorf("the next one: %d %q, want 200", status, body)
		}
		again := l.connect("198.51.100.3")
		again.say(largeHead("again"))
		synctest.Wait()
		synctest.Wait()
		last := l.connect("198.51.100.4")
		start = time.Now()
		status, _ := last.ask(largeHead("last"))
		if took := time.Since(start); status != 0 || took != headWait {
			t.Errorf("one too many: %d after %v, want the end of the connection after %v", status, took, headWait)
		}
	})
}

// TestLargeRequestLineKeepsItsTurn checks a request that keeps much of a large head
// in memory. The connection must keep its turn to read a large head until the request
// ends.
func TestLargeRequestLineKeepsItsTurn(t *testing.T) {
	inBubble(t, 8*largeHeads, nil, func(t *testing.T, l *lab) {
		long := "POST /" + strings.Repeat("x", smallHead) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"
		for i := range largeHeads {
			l.connect(fmt.Sprintf("192.0.2.%d", i)).say(long)
		}
		synctest.Wait()
		start := time.Now()
		status, _ := l.connect("198.51.100.4").ask(largeHead("last"))
		if took := time.Since(start); status != 0 || took != headWait {
			t.Errorf("%d after %v, want the end of the connection after %v", status, took, headWait)
		}
	})
}

// TestTooManyLines checks that the server refuses a head with too many lines before
// it has read the whole head.
func TestTooManyLines(t *testing.T) {
	inBubble(t, 8, answering, func(t *testing.T, l *lab) {
		p := l.connect("192.0.2.1")
		status, body := p.ask("GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", maxLines))
		if want := "own 431 for 192.0.2.1:5"; status != 431 || body != want {
			t.Errorf("%d %q, want %q", status, body, want)
		}
		time.Sleep(lingerTime)
		if !p.isClosed() {
			t.Error("the connection: got it open, want it closed")
		}
		if status, _ := l.connect("192.0.2.2").ask("GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", maxLines-4) + "\r\n"); status != 200 {
			t.Errorf("as many as it may have: %d, want 200", status)
		}
	})
}

// TestPipelining checks that the server closes the connection after an answer if
// bytes of the next request may have arrived before that answer.
func TestPipelining(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n{\n\n}"
	for name, c := range map[string]struct {
		sent string
		kept bool
	}{
		"one request":                      {request, true},
		"one with a body":                  {post, true},
		"two requests":                     {request + request, false},
		"two with bodies":                  {post + post, false},
		"one and the beginning of another": {post + "G", false},
		"a body of unknown length":         {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 8, nil, func(t *testing.T, l *lab) {
				p := l.connect("192.0.2.1")
				if status, _ := p.ask(c.sent); status != http.StatusOK {
					t.Errorf("%d, want 200", status)
				}
				if kept := !p.isClosed(); kept != c.kept {
					t.Errorf("the connection is kept: %v, want %v", kept, c.kept)
				}
				if !c.kept {
					return
				}
				for range 3 * maxLines { // so many that the server would refuse a request if it counted lines of bodies as lines of heads
					if status, _ := p.ask(post); status != http.StatusOK {
						t.Fatalf("the next one: %d, want 200", status)
					}
				}
			})
		})
	}
}

// TestStreamInPieces checks that a stream gets the same counts, no matter into
// which pieces the text is cut.
func TestStreamInPieces(t *testing.T) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n{\r\n\r\n}",
		"GET / HTTP/1.1\nHost: x\n\nbody",
		"\r\nGET / HTTP/1.1\r\nA:\r\n b\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\r\nA: b\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b",
	} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			var whole stream
			whole.take([]byte(text))
			for i := 1; i < len(text); i++ {
				for j := i; j < len(text); j++ {
					var s stream
					for _, piece := range []string{text[:i], text[i:j], text[j:]} {
						if piece != "" {
							s.take([]byte(piece))
						}
					}
					if s != whole {
						t.Fatalf("%q cut at %d and %d: %+v, want %+v", text, i, j, s, whole)
					}
				}
			}
		})
	}
}
