//go:build !linux

package instruments

import (
	"errors"
	"syscall"
)

// smallSegments returns an error, because this system does not support it.
func smallSegments(string, string, syscall.RawConn) error { return errors.ErrUnsupported }
