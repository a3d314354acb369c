package doctor_test

import (
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/doctor/engine"
)

// mix is a change of the stack, with the findings that doctor must then report.
// A finding is written as the id of the check, a space, and the id of the
// cause.
type mix struct {
	change func(*stack)
	want   []string
}

func init() { maps.Copy(mixed, proxyMixed) }

// allowing makes a proxy set Access-Control-Allow-Origin to origin.
func allowing(origin string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(allowed{w, origin}, r) })
	}
}

type allowed struct {
	http.ResponseWriter
	origin string
}

func (w allowed) WriteHeader(status int) {
	w.Header().Set("Access-Control-Allow-Origin", w.origin)
	w.ResponseWriter.WriteHeader(status)
}

// aSite answers every request with a page.
var aSite = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	io.WriteString(w, "<html>a page</html>")
})

// noDNS makes the name server of this machine fail.
func noDNS(s *stack) {
	for _, host := range []string{"two.example.org", "synapse"} {
		s.dns[host] = nil
	}
	for host := range s.dns {
		s.dnsError[host] = broken(host)
	}
	clear(s.dns)
}

func broken(host string) error { return &net.DNSError{Err: "server misbehaving", Name: host} }

func both(changes ...func(*stack)) func(*stack) {
	return func(s *stack) {
		for _, change := range changes {
			change(s)
		}
	}
}

// TestDoubtBlocksNothing has a certificate that ends soon, which is a warning.
// doctor must report the warning once. It must also make the checks that depend
// on the check of the certificate, although that check found a warning.
func TestDoubtBlocksNothing(t *testing.T) {
	s := newStack(t)
	oneHost(s)
	s.certs[apexHost] = s.ca.CertificateUntil(time.Now().Add(200*time.Hour), apexHost)
	told := 0
	for _, c := range s.examine().Checks {
		if c.CauseID != "" {
			told++
		}
		if c.Status == engine.NA && c.ID != "config.registration" && c.ID != "service.app_service" && c.ID != "service.membership" && !strings.HasSuffix(c.ID, ".tls") {
			t.Errorf("%s was not looked at: %s, want that it is", c.ID, c.Seen)
		}
	}
	if told != 1 {
		t.Errorf("the end of the certificate: reported %d times, want once", told)
	}
}
