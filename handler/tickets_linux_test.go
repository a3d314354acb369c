package handler

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// bare is a Minter that makes tokens without tickets. A ticket contains the
// user and the Matrix room, encrypted.
type bare struct{ *token.Minter }

func (b bare) Mint(grant token.Grant, _ ticket.Ticket, now time.Time) string {
	return b.Minter.Mint(grant, now)
}

// BenchmarkTickets alternates between requests for tokens with tickets and for
// tokens without tickets. It reports the CPU time for each kind, and the ratio
// of these times. Other work on the machine hardly changes the CPU time.
func BenchmarkTickets(b *testing.B) {
	const turn = 200 // how many requests of one kind are served in a row
	kinds := []func(){
		requests(b, bare{token.NewMinter(testKey, time.Hour)}),
		requests(b, ticket.NewMinter([]sfu.Key{testKey}, time.Hour)),
	}
	var took [2]time.Duration
	n := 0
	for b.Loop() {
		for kind, request := range kinds {
			before := cpuTime(b)
			for range turn {
				request()
			}
			took[kind] += cpuTime(b) - before
		}
		n += turn
	}
	b.ReportMetric(float64(took[0].Nanoseconds())/float64(n), "cpu-ns/without")
	b.ReportMetric(float64(took[1].Nanoseconds())/float64(n), "cpu-ns/with")
	b.ReportMetric(float64(took[1])/float64(took[0]), "ratio")
}

// requests returns a function that serves one request for a token. The token is
// made by m.
func requests(b *testing.B, m access.Minter) func() {
	r := benchRig(b)
	r.Minter = m
	routes, w := r.Routes(), &nullWriter{header: http.Header{}}
	body := getTokenBody("@alice:" + stranger)
	req := httptest.NewRequest(http.MethodPost, "/get_token", nil)
	req.RemoteAddr = "127.0.0.1:1234"
	return func() {
		clear(w.header)
		req.Body = io.NopCloser(strings.NewReader(body))
		routes.ServeHTTP(w, req)
	}
}

// cpuTime returns the CPU time that this process has used, in user and kernel
// mode.
func cpuTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
