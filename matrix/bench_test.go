package matrix_test

import (
	"testing"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// BenchmarkVerify measures one verification over a pooled connection. The
// result includes the work of the fake homeserver.
func BenchmarkVerify(b *testing.B) {
	hs := matrixtest.NewServer()
	defer hs.Close()
	v := loopback(b, hs.CA(), true)
	token := tokenOf(b, hs.Homeserver, hs.UserID("alice"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token, matrix.UserID{}, nobody); err != nil {
			b.Fatal(err)
		}
	}
}
