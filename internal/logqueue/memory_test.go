package logqueue_test

import (
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"matrixrtc-auth/internal/logqueue"
)

// gate is a file whose writes wait until the test closes the channel.
type gate chan struct{}

func (g gate) Write(p []byte) (int, error) {
	<-g
	return len(p), nil
}

// TestMemoryIsGivenBack checks that the queue gives back the memory that many
// waiting lines took.
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

// heap returns how many bytes of the heap are in use.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
