package inquiry_test

import (
	"context"
	"testing"
	"time"

	"matrixrtc-auth/internal/inquiry"
	"matrixrtc-auth/internal/semaphore"
)

// BenchmarkAsk measures a call of Ask that shares its inquiry with no other caller
// and gets a permit immediately.
func BenchmarkAsk(b *testing.B) {
	bounds := semaphore.Bounds{Total: 256}
	q := inquiry.New[int, string, bool](bounds, bounds, 10*time.Second)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := q.Ask(context.Background(), 1, "a", func(context.Context) bool { return true }); err != nil {
			b.Fatal(err)
		}
	}
}
