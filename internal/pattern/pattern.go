// Package pattern provides regular expressions that are compiled on first use,
// so that a command only compiles those that it needs.
package pattern

import (
	"regexp"
	"sync"
)

// New returns a function that compiles expr at its first call, and then always
// returns the result. It panics as regexp.MustCompile does. A test compiles
// every expression in the program.
func New(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
