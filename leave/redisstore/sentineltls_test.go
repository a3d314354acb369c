package redisstore

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestSentinelCertificates checks which name a server's certificate must have: the name
// that was dialled or, if that is an IP address, the host in the URL.
func TestSentinelCertificates(t *testing.T) {
	server := httptest.NewTLSServer(nil) // the server's certificate is for example.com and 127.0.0.1
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		host, inURL string
		trusted     *x509.CertPool
		want        bool
	}{
		{"127.0.0.1", "example.com", roots, true},
		{"127.0.0.1", "other.invalid", roots, false},
		{"localhost", "example.com", roots, false},
		{"127.0.0.1", "example.com", x509.NewCertPool(), false},
	} {
		t.Run(test.host, func(t *testing.T) {
			options := redis.FailoverOptions{TLSConfig: &tls.Config{ServerName: test.inURL, MinVersion: tls.VersionTLS12}}
			dial := sentinelDialer(options, 5*time.Second, func() *x509.CertPool { return test.trusted })
			conn, err := dial(t.Context(), "tcp", net.JoinHostPort(test.host, port))
			if err == nil {
				conn.Close()
			}
			if (err == nil) != test.want {
				t.Errorf("connecting to %s, with %s in the URL: got %v, want no error: %t", test.host, test.inURL, err, test.want)
			}
		})
	}
}
