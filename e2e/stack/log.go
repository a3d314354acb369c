package stack

import (
	"os"
	"strings"
)

// Log is the log file of a part, a program of the deployment. It contains what the
// program writes to the standard output and the standard error.
type Log struct{ path string }

// OpenLog returns the log of a part that another program started.
func OpenLog(path string) Log { return Log{path} }

// Path returns the path of the log file.
func (l Log) Path() string { return l.path }

// String returns the whole log.
func (l Log) String() string {
	content, err := os.ReadFile(l.path)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// Tail returns the last n lines of the log.
func (l Log) Tail(n int) string {
	lines := strings.Split(strings.TrimRight(l.String(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Line returns the first complete line that begins with prefix. If there is none yet,
// it returns "".
func (l Log) Line(prefix string) string {
	for line := range strings.Lines(l.String()) {
		if strings.HasPrefix(line, prefix) && strings.HasSuffix(line, "\n") {
			return strings.TrimSuffix(line, "\n")
		}
	}
	return ""
}
