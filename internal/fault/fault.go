// Package fault makes an error of a panic. A panic is a fault of this program.
// It ends only the request, not the process, also in a goroutine that several
// callers wait for.
package fault

import (
	"fmt"
	"runtime/debug"
)

// Error is a fault of this program.
type Error struct {
	Value any // the value of the panic
	Stack []byte
}

// Error does not show the value, which may quote a client or a server.
func (e *Error) Error() string { return fmt.Sprintf("a fault of this program: panic (%T)", e.Value) }

// Catch calls do and returns what it returns, or an *[Error] if it panics.
func Catch[V any](do func() (V, error)) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Error{p, debug.Stack()}
		}
	}()
	return do()
}
