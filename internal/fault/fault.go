// Package fault turns a panic into an error. A panic is a fault of this program. A
// panic must end only the request and not the process, even if several callers wait
// for the goroutine that panicked.
package fault

import (
	"fmt"
	"runtime/debug"
)

// Error is the error that [Catch] returns for a panic.
type Error struct {
	Value any // the value of the panic
	Stack []byte
}

// Error returns a text that leaves out the value of the panic, because the value
// may quote a client or a server.
func (e *Error) Error() string { return fmt.Sprintf("a fault of this program: panic (%T)", e.Value) }

// Catch calls the function do and returns its results. If do panics, Catch returns
// an *[Error].
func Catch[V any](do func() (V, error)) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Error{p, debug.Stack()}
		}
	}()
	return do()
}
