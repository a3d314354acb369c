package stack

import (
	"os"
	"strings"
)

// Log is what a part wrote to its standard output and standard error, in a
// file that grows while the part runs.
type Log struct{ path string }

// OpenLog returns that of a part which another program has started.
func OpenLog(path string) Log { return Log{path} }

// Path returns where the file is.
func (l Log) Path() string { return l.path }

// String returns all of it.
func (l Log) String() string {
	content, err := os.ReadFile(l.path)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// Tail returns the last n lines.
func (l Log) Tail(n int) string {
	lines := strings.Split(strings.TrimRight(l.String(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Line returns the first whole line that begins with prefix, "" when there is
// none yet.
func (l Log) Line(prefix string) string {
	for line := range strings.Lines(l.String()) {
		if strings.HasPrefix(line, prefix) && strings.HasSuffix(line, "\n") {
			return strings.TrimSuffix(line, "\n")
		}
	}
	return ""
}
