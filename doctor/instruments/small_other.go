//go:build !linux

package instruments

import (
	"errors"
	"syscall"
)

// smallSegments returns an error, because doctor cannot limit the size of
// segments on this system.
func smallSegments(string, string, syscall.RawConn) error { return errors.ErrUnsupported }
