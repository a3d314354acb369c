package outbound_test

import (
	"crypto/x509"
	"fmt"
	"runtime"
	"testing"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix/matrixtest"
)

// TestParsedChains measures the memory that a parsed certificate chain takes,
// because a connection keeps the chain. In memory, the chain must take at most 8
// times as many bytes as it counts for toward [Pool.MaxHandshakes].
func TestParsedChains(t *testing.T) {
	const copies, most = 50, 8.2 // most is 8 (see above) plus 0.2 for the error of the measurement
	var names []string
	for i := range 250 {
		names = append(names, fmt.Sprintf("host-%d.some-homeserver.example.org", i))
	}
	honest, _ := matrixtest.LargeChain(names...)
	for name, chain := range map[string][][]byte{
		"honest, RSA-4096, 250 names": honest.Certificate,
		"10 of 280 bytes":             matrixtest.Junk(10),
		"450 names and 30 kB":         {matrixtest.NewBulky(450, 30_000).Next()},
		"450 names":                   {matrixtest.NewBulky(450, 0).Next()},
	} {
		t.Run(name, func(t *testing.T) {
			size := 0
			for _, der := range chain {
				size += len(der)
			}
			kept := make([][]*x509.Certificate, copies)
			before := alive()
			for i := range kept {
				kept[i] = parsed(t, chain)
			}
			each := float64(alive()-before) / copies
			counts := max(float64(size), float64(outbound.Weight(kept[0])))
			t.Logf("%s: %d bytes, parsed %.1f times as much, %.1f times what it counts for", name, size, each/float64(size), each/counts)
			if each > most*counts {
				t.Errorf("%s takes %.1f times what it counts for, want at most %.1f", name, each/counts, most)
			}
			runtime.KeepAlive(kept)
		})
	}
}

// parsed parses a chain, from a new copy of its bytes.
func parsed(t *testing.T, chain [][]byte) (certificates []*x509.Certificate) {
	t.Helper()
	for _, der := range chain {
		c, err := x509.ParseCertificate(append([]byte(nil), der...))
		if err != nil {
			t.Fatal(err)
		}
		certificates = append(certificates, c)
	}
	return certificates
}

// alive returns how many bytes of the heap are in use after a garbage
// collection.
func alive() uint64 {
	var stats runtime.MemStats
	for range 2 {
		runtime.GC()
	}
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
