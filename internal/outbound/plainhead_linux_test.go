package outbound

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// FuzzPlainHead compares plainHead with http.ReadResponse for the same bytes. If
// plainHead accepts a head, net/http must read the same status and the same length of
// the body, and must find the end of the head at the same byte. The head must contain
// nothing that plainHead ignores although it matters to net/http for the answer or for
// the reuse of the connection.
func FuzzPlainHead(f *testing.F) {
	for _, response := range []string{
		usualResponse,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 \r\nContent-Length:\t2 \r\n\r\n{}",
		"HTTP/1.1 999 x\r\nContent-Length: 0002\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: \x01\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n z\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTrailer: X\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nUpgrade: x\r\n\r\n{}",
		"HTTP/1.1 200 O\nK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\n\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\nX: y\r\n\r\n{}",
	} {
		f.Add([]byte(response))
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		head, ok := plainHead(response)
		if !ok {
			return
		}
		r := bufio.NewReaderSize(bytes.NewReader(response), len(response)+16)
		want, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("plainHead(%q) = %+v, want it left to net/http, which says %v", response, head, err)
		}
		if used := len(response) - r.Buffered(); head.status != want.StatusCode || int64(head.length) != want.ContentLength || head.size != used {
			t.Errorf("%q: got %+v, want status %d, length %d, size %d", response, head, want.StatusCode, want.ContentLength, used)
		}
		if want.Close || len(want.TransferEncoding) > 0 || want.Proto != "HTTP/1.1" || want.Header.Get("Retry-After") != "" {
			t.Errorf("%q: got a plain head, want none: close %t, codings %q, %s, Retry-After %q", response, want.Close, want.TransferEncoding, want.Proto, want.Header.Get("Retry-After"))
		}
	})
}

// usualResponse is the response of a Synapse behind nginx that says to which user a
// token belongs.
const usualResponse = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 28\r\n" +
	"Cache-Control: no-cache, no-store, must-revalidate\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n" +
	"Access-Control-Allow-Headers: X-Requested-With, Content-Type, Authorization, Date\r\n\r\n" + `{"sub":"@alice:example.org"}`

// memory is a connection on which the peer has sent text.
type memory struct {
	net.Conn
	text *strings.Reader
}

func (m memory) Read(p []byte) (int, error) { return m.text.Read(p) }

// BenchmarkRead reads the usual response with plainHead, and with net/http
// alone, in turn. It reports the CPU time of each way, and how much longer
// net/http takes. Other work on the machine hardly changes the CPU time.
func BenchmarkRead(b *testing.B) {
	const turn, most = 500, 1000 // how many responses one turn has, and how many bytes a body may have
	text := strings.NewReader("")
	c := &conn{Conn: memory{text: text}, socket: new(socket), transport: new(Transport)}
	c.br = bufio.NewReaderSize(c, 2<<10)
	ways := []func() (Answer, bool, error){
		func() (Answer, bool, error) { return c.read(b.Context(), most, 0) },
		func() (Answer, bool, error) { return c.readAny(most) },
	}
	var took [2]time.Duration
	n := 0
	for b.Loop() {
		for way, read := range ways {
			before := cpuTime(b)
			for range turn {
				text.Reset(usualResponse)
				c.budget, c.head = defaultMaxResponseBytes, head{}
				if err := c.await(); err != nil {
					b.Fatal(err)
				}
				if answer, keep, err := read(); err != nil || !keep || len(answer.Body) != 28 {
					b.Fatalf("got %+v, keep %t, error %v; want 28 bytes and the connection kept", answer, keep, err)
				}
			}
			took[way] += cpuTime(b) - before
		}
		n += turn
	}
	b.ReportMetric(float64(took[0].Nanoseconds())/float64(n), "cpu-ns/plain")
	b.ReportMetric(float64(took[1].Nanoseconds())/float64(n), "cpu-ns/net-http")
	b.ReportMetric(float64(took[1])/float64(took[0]), "ratio")
}

// cpuTime returns the CPU time of this process, in user and kernel mode.
func cpuTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
