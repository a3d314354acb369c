// Package pattern has regular expressions that are compiled when they are first
// used: a command pays for its own at most, and not for those of all others.
package pattern

import (
	"regexp"
	"sync"
)

// New returns what compiles expr at its first call and returns the same from
// then on. It panics where regexp.MustCompile does; a test of the program
// compiles every expression that is given to it.
func New(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
