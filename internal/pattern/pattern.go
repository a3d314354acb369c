// Package pattern makes regular expressions that are compiled when they are
// first used, so that a command compiles only those that it needs.
package pattern

import (
	"regexp"
	"sync"
)

// New returns a function that returns the compiled expr. It compiles expr at
// the first call, and panics as regexp.MustCompile does if expr is invalid. A
// test compiles every expression in the program.
func New(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
