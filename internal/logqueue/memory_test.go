package logqueue_test

import (
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"matrixrtc-auth/internal/logqueue"
)

// gate lets a write pass when it is open.
type gate chan struct{}

func (g gate) Write(p []byte) (int, error) {
	<-g
	return len(p), nil
}

// TestMemoryIsGivenBack: what a crowd left waiting is not kept for ever.
func TestMemoryIsGivenBack(t *testing.T) {
	const sent, most = 900 << 10, 256 << 10
	before := heap()
	open := make(gate)
	q := logqueue.Start(open, bare)
	log := slog.New(q.Handler())
	line := strings.Repeat("x", 1000)
	for range sent / len(line) {
		log.Info(line)
	}
	if grown := heap() - before; grown < sent/2 {
		t.Errorf("%d bytes are kept while %d wait, want at least %v", grown, sent, sent/2)
	}
	close(open)
	for q.Status().Waiting > 0 {
		runtime.Gosched()
	}
	if grown := heap() - before; grown > most {
		t.Errorf("%d bytes are kept when all is written, want at most %d", grown, most)
	}
	if err := q.Close(); err != nil {
		t.Errorf("Close: got %v, want no error", err)
	}
}

// heap returns the bytes that are in use.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
