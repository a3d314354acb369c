// Package logtest keeps what loggers write, for tests.
package logtest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
)

// Log holds the lines that loggers have written. It may be written and read at
// the same time. The zero value is empty.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Logger returns a logger that writes to l, in the format of
// [slog.TextHandler].
func (l *Log) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *Log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// Reset removes all lines.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

// String returns all lines, each with its line break.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Lines returns all lines without their line breaks.
func (l *Log) Lines() []string {
	return strings.FieldsFunc(l.String(), func(c rune) bool { return c == '\n' })
}

// Count returns how many lines contain text.
func (l *Log) Count(text string) (n int) {
	for _, line := range l.Lines() {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// Has reports whether a line contains text.
func (l *Log) Has(text string) bool { return l.Count(text) > 0 }
